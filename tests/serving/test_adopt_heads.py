from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from mtclar.data.tables import EXPRESSIONS
from mtclar.serving.adopt import ASIDE
from mtclar.serving.adopt_heads import Reading, make_heads


def run(graph: bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def test_labels_are_read_from_their_columns_clipped_and_their_differences_are_not():
    weights = np.zeros((5, 2))
    weights[3, 0] = weights[4, 1] = 1 / ASIDE
    graphs = make_heads(Reading(weights, np.zeros(2)))
    rng = np.random.default_rng(0)
    labels = rng.uniform(-1.6, 1.6, (6, 2)).astype(np.float32)
    embedding = np.hstack([rng.normal(0, 1, (6, 3)), labels * ASIDE]).astype(np.float32)
    expression, valence, arousal = run(graphs["single.onnx"], embedding=embedding)
    np.testing.assert_allclose(np.stack([valence, arousal], 1), labels.clip(-1, 1), rtol=1e-6)
    np.testing.assert_allclose(expression, 1 / len(EXPRESSIONS), atol=1e-6)
    similar, d_valence, d_arousal = run(graphs["pair.onnx"], left=embedding, right=embedding[::-1].copy())
    differences = (labels - labels[::-1]).clip(-2, 2)
    np.testing.assert_allclose(np.stack([d_valence, d_arousal], 1), differences, atol=1e-6)
    assert np.isnan(similar).all()


def test_a_regressions_weights_and_bias_are_applied():
    rng = np.random.default_rng(1)
    weights, bias, embedding = rng.normal(0, 0.1, (7, 2)), np.array([0.2, -0.1]), rng.normal(0, 1, (4, 7))
    _, valence, arousal = run(make_heads(Reading(weights, bias))["single.onnx"], embedding=embedding.astype(np.float32))
    np.testing.assert_allclose(np.stack([valence, arousal], 1), embedding @ weights + bias, atol=1e-6)


@pytest.mark.parametrize("probabilities", [False, True])
def test_expressions_are_put_in_our_order_and_those_it_does_not_know_are_impossible(probabilities):
    rng = np.random.default_rng(2)
    order = tuple(EXPRESSIONS.index(name) for name in ("anger", "happy", "neutral"))
    logits = rng.normal(0, 2, (5, 3))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    told = expected if probabilities else logits
    embedding = np.hstack([rng.normal(0, 1, (5, 2)), told * ASIDE]).astype(np.float32)
    reading = Reading(np.zeros((5, 2)), np.zeros(2), 2, order, probabilities)
    found = run(make_heads(reading)["single.onnx"], embedding=embedding)[0]
    np.testing.assert_allclose(found[:, list(order)], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found[:, EXPRESSIONS.index("fear")].max() == 0
