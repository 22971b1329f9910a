#!/usr/bin/env python3
"""Makes the reference values of the tests of retrieval's metrics, by the definitions of two other evaluations.

Run it in this folder with clip-benchmark 1.6.2 and torch (`pip install clip-benchmark`); it writes retrieval_metrics.safetensors. For each
of some collections, named `single`, `several` and `scarce`:

    NAME.texts          [texts, dimension], rows of length 1
    NAME.pictures       [pictures, dimension], rows of length 1
    NAME.picture_of     [texts], the picture that each text belongs to
    NAME.clip_benchmark [2, 3], CLIP_benchmark's image_retrieval_recall@1, 5, 10 and text_retrieval_recall@1, 5, 10
    NAME.big_vision     [2, 3], big_vision's text-to-image and image-to-text Recall@1, 5, 10

CLIP_benchmark's `recall_at_k` (clip_benchmark/metrics/zeroshot_retrieval.py) is called as it is: a query is a hit if the share of its
positives among the first k is above 0. big_vision is in no package; its evaluators (evaluators/proj/image_text/image_text_retrieval.py)
are worked out here from what they say: each text, or picture, ranks all others by their distance, and is a hit if the picture that
belongs to the text, or any text that belongs to the picture, is among the first k. And big_vision's own worked examples, of four pictures
with two texts each, whose results stand in its image_text_retrieval_test.py:

    example.N.distances [4, 8], of pictures to texts
    example.N.expected  [3], Recall@1, 5, 10, of the direction that `example.N.to_texts` tells
"""

import numpy as np
import torch
from clip_benchmark.metrics.zeroshot_retrieval import batchify, recall_at_k
from safetensors.numpy import save_file

CUTS = (1, 5, 10)


def clip_benchmark(texts, pictures, picture_of):
    scores = torch.from_numpy(texts) @ torch.from_numpy(pictures).T
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), torch.from_numpy(picture_of)] = True
    def hits(scores, positive, k):
        return (batchify(recall_at_k, scores, positive, 16, "cpu", k=k) > 0).float().mean().item()
    return [[hits(scores, positive, k) for k in CUTS], [hits(scores.T, positive.T, k) for k in CUTS]]


def big_vision(distances, picture_of):
    """Of distances [pictures, texts]: the shares of texts, and of pictures, whose counterpart is among the nearest."""
    to_picture = [np.argsort(distances[:, text], kind="stable") for text in range(distances.shape[1])]
    to_text = [np.argsort(row, kind="stable") for row in distances]
    texts = [[picture_of[text] in order[:k] for text, order in enumerate(to_picture)] for k in CUTS]
    pictures = [[any(picture_of[text] == picture for text in order[:k]) for picture, order in enumerate(to_text)] for k in CUTS]
    return [[np.mean(hits) for hits in texts], [np.mean(hits) for hits in pictures]]


def rows(values):
    values = values.astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


random = np.random.default_rng(11)
values = {}
for name, count, texts_each, noise in (("single", 60, 1, 1.6), ("several", 40, 5, 2.2), ("scarce", 12, 2, 1.2)):
    things = random.normal(size=(count, 12))
    picture_of = np.repeat(np.arange(count), texts_each)
    random.shuffle(picture_of)
    pictures = rows(things + noise * random.normal(size=things.shape))
    texts = rows(things[picture_of] + noise * random.normal(size=(len(picture_of), 12)))
    values |= {
        f"{name}.texts": texts,
        f"{name}.pictures": pictures,
        f"{name}.picture_of": picture_of.astype(np.int64),
        f"{name}.clip_benchmark": np.array(clip_benchmark(texts, pictures, picture_of)),
        f"{name}.big_vision": np.array(big_vision(1 - pictures @ texts.T, picture_of)),
    }

others = [[0.5, 0.4, 0.0, 0.0, 0.4, 0.2, 0.6, 0.4], [0.5, 0.4, 0.1, 0.5]]
clear = [[0, 0, 0.1, 0.5, 0.1, 0.2, 0.5, 0.1], others[0], others[1] + [0, 0, 0.8, 0.3], others[1] + [0.3, 0.2, 0, 0]]
def unclear(seventh):
    return [[0.8, 0.8, 0.1, 0.5, 0.1, 0.2, seventh, 0.1], others[0], others[1] + [0, 0.8, 0.8, 0.3], others[1] + [0.4, 0.2, 0.3, 0.3]]
examples = [(clear, 1, (1, 1, 1)), (unclear(0.5), 1, (0.5, 0.75, 1)), (clear, 0, (1, 1, 1)), (unclear(0.1), 0, (0.375, 1, 1))]
for number, (distances, to_texts, expected) in enumerate(examples):
    distances, picture_of = np.array(distances), np.repeat(np.arange(4), 2)
    # Their definition, as it is worked out above, gives what they expect.
    assert np.allclose(big_vision(distances, picture_of)[to_texts], expected)
    values |= {
        f"example.{number}.distances": distances,
        f"example.{number}.expected": np.array(expected, dtype=np.float64),
        f"example.{number}.to_texts": np.array([to_texts]),
    }
save_file({name: np.ascontiguousarray(value) for name, value in values.items()}, "retrieval_metrics.safetensors")
