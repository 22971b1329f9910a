"""A site's trainer: a small network in Keras. What makes it one are the lines with a number."""

import gzip
import os

import numpy as np
import tensorflow as tf
import tessera_client
import tessera_client.keras as tessera  # 1

SITES = 3


def read(folder, name, header):
    with gzip.open(os.path.join(folder, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


site = tessera_client.init()
labels = read(site.data, "train-labels-idx1-ubyte.gz", 8)[site.index :: SITES].astype(np.int32)
images = read(site.data, "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)[site.index :: SITES]
images = images.astype(np.float32) / 255
held = len(labels) // 10

model = tf.keras.Sequential(
    [
        tf.keras.Input((28, 28, 1)),
        tf.keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])


class Progress(tf.keras.callbacks.Callback):
    """Says after each batch that the work goes on."""

    def on_train_batch_end(self, batch, logs=None):
        site.progress()


def measure():
    loss, accuracy = model.evaluate(images[:held], labels[:held], verbose=0)
    return {"loss": loss, "accuracy": accuracy}, held


for part in tessera.rounds(model, evaluate=measure, site=site):  # 2
    tf.keras.utils.set_random_seed(part.seed % 2**32)
    history = model.fit(images[held:], labels[held:], batch_size=64, verbose=0, callbacks=[Progress()])
    part.send({"loss": history.history["loss"][-1]}, samples=len(labels) - held)  # 3
