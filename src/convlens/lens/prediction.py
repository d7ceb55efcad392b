"""The network's own answer, where it ends in class scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.errors import InputError
from convlens.network import Activation, Convolution, Dense, Kind, Layer, Network, Pooling


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes in falling order of probability: rows of (class index, probability, label or ``None``).

    ``layer`` is the output that holds the scores. ``softmax`` tells whether they were logits that a softmax turned into
    probabilities here, or probabilities already.

    >>> answer = Prediction("fc", ((2, 0.75, "tabby"), (0, 0.25, "tiger cat")), softmax=True)
    >>> print(answer)
    tabby 0.750, tiger cat 0.250 (softmax of the scores)
    >>> answer.to_dict()["top"][0]
    {'index': 2, 'probability': 0.75, 'label': 'tabby'}
    """

    layer: str
    rows: tuple[tuple[int, float, str | None], ...]
    softmax: bool

    def __str__(self) -> str:
        names = [f"{label if label is not None else f'class {index}'} {p:.3f}" for index, p, label in self.rows[:5]]
        return ", ".join(names) + (" (softmax of the scores)" if self.softmax else "")

    def to_dict(self) -> dict[str, Any]:
        """The first five rows, for ``--json``."""
        top = [{"index": i, "probability": p, "label": label} for i, p, label in self.rows[:5]]
        return {"layer": self.layer, "softmax": self.softmax, "top": top}


def class_scores(network: Network) -> Layer | None:
    """The output layer that holds class scores, if the network ends in them.

    Those are two values or more that come from a softmax or sigmoid, a dense layer, or a convolution or global pooling
    whose maps are one value each; reshapes between are looked through. Maps that happen to be one pixel high are no
    scores.

    >>> from convlens.network import Dense, Input
    >>> dense = Layer("fc", "Gemm", Kind.DENSE, ("x",), (10,), Dense(64, 10))
    >>> class_scores(Network("n", "onnx", (Input("x", (64,)),), (dense,), ("fc",), 650)).name
    'fc'
    """
    for name in network.outputs:
        layer = network.get(name)
        if layer is None or sum(n > 1 for n in layer.output_shape) != 1:
            continue
        source = layer
        while source.kind in (Kind.RESHAPE, Kind.PLUMBING, Kind.QUANTISE) and source.inputs[0] in network:
            source = network[source.inputs[0]]
        if _scores(network, source):
            return layer
    return None


def _scores(network: Network, source: Layer) -> bool:
    one_value_each = len(source.output_shape) > 0 and prod(source.output_shape[1:]) == 1
    match source.operation:
        case Activation(function="softmax" | "log_softmax" | "sigmoid") | Dense():
            return True
        case Convolution():
            return one_value_each
        case Pooling() as pooling:
            reads = network.get(source.inputs[0])
            covers = reads is not None and reads.output_shape[1:] == pooling.kernel_size
            return one_value_each and (pooling.whole or pooling.adaptive or covers)
        case _:
            return source.kind == Kind.DENSE  # a dense layer of another form, such as Keras's EinsumDense


def check_labels(network: Network, labels: Sequence[str] | None) -> None:
    """Refuse class names that aren't as many as the network's classes: a name beside the wrong score is a lie.

    Raises:
        InputError: other than the network has classes, or a network without class scores.
    """
    scores = class_scores(network)
    if labels is None:
        return
    if scores is None:
        raise InputError(
            "This network doesn't end in class scores, so that labels have nothing to name",
            expected="a network with class scores",
            received=f"{len(labels):,} labels",
            hint="Leave out --labels (labels=...).",
        )
    count = prod(scores.output_shape)
    if len(labels) != count:
        raise InputError(
            "The labels don't fit the network",
            expected=f"{count:,} class names, one for each score of {scores.name}",
            received=f"{len(labels):,}",
            hint="Give one name a line, in the order of the scores, with no heading and no empty line.",
        )


def labels_of(network: Network, layer: str, labels: Sequence[str] | None) -> Sequence[str] | None:
    """The labels, if this layer holds the class scores that they name."""
    scores = class_scores(network) if labels is not None else None
    return labels if scores is not None and scores.name == layer else None


def predict(layer: Layer, scores: NDArray[Any], labels: Sequence[str] | None = None) -> Prediction:
    """Rank the classes. Scores that are already probabilities (in 0..1, adding up to 1) are left alone."""
    values = scores.astype(np.float64).ravel()
    ready = bool(np.all(values >= 0) and np.all(values <= 1) and abs(values.sum() - 1) < 1e-3)
    if not ready:
        with np.errstate(invalid="ignore"):  # infinite scores have no probabilities: NaN says so
            powers = np.exp(values - values.max())
            values = powers / powers.sum()
    order = np.argsort(-values, kind="stable")
    named = labels if labels is not None and len(labels) == len(values) else None
    rows = tuple((int(i), float(values[i]), named[i] if named else None) for i in order)
    return Prediction(layer.name, rows, not ready)
