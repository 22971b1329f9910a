"""A site's trainer: logistic regression by scikit-learn."""

import json

import numpy as np
import tessera_client
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss

site = tessera_client.init()
with open(site.data) as file:
    place = json.load(file)
images, labels = load_digits(return_X_y=True)
images = images[place["first"] :][: place["count"]] / 16
labels = labels[place["first"] :][: place["count"]]
# A fifth is held out, to measure with.
held = np.arange(len(labels)) % 5 == 0
classes = np.arange(10)

while site.is_running():
    model = site.receive()
    if model.task == "initialize":
        site.send({"coef": np.zeros((10, 64)), "intercept": np.zeros(10)})
        continue
    regression = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.01, random_state=model.seed % 2**32
    )
    # So that it has a shape; then it goes on from the global model.
    regression.partial_fit(images[:1], labels[:1], classes)
    regression.coef_ = model.parameters["coef"].copy()
    regression.intercept_ = model.parameters["intercept"].copy()
    if model.task == "evaluate":
        predicted = regression.predict(images[held])
        site.send_metrics({"accuracy": accuracy_score(labels[held], predicted)}, samples=int(held.sum()))
    elif model.task == "train":
        for _ in range(3):
            regression.partial_fit(images[~held], labels[~held])
            site.progress()
        loss = log_loss(labels[~held], regression.predict_proba(images[~held]), labels=classes)
        parameters = {"coef": regression.coef_, "intercept": regression.intercept_}
        site.send(parameters, metrics={"loss": loss}, samples=int((~held).sum()))
    else:
        site.refuse("unknown task")
