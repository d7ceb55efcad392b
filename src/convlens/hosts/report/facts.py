"""What a report tells beside its numbers: networks, layers, runs, what is seen by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convlens.engines.base import Array
from convlens.errors import ConvlensError
from convlens.hosts.report import coding
from convlens.hosts.report.coding import ArrayFact, Blobs
from convlens.hosts.report.planning import Weight
from convlens.hosts.wire import facts
from convlens.hosts.wire.operations import operation_fact
from convlens.hosts.wire.schema import ModelFact
from convlens.lens.kernels import kernels_of
from convlens.network import Convolution, Dense, Network, Normalisation

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps, Lens
    from convlens.lens.traced import TracedNetwork

_LARGEST_TABLE = 200_000


def weights_of(traced: TracedNetwork) -> dict[str, Mapping[str, Array]]:
    """The weights of every layer that has some; nothing for a model that isn't there."""
    found: dict[str, Mapping[str, Array]] = {}
    for layer in traced.network:
        try:
            roles = {role: np.asarray(array) for role, array in traced.weights(layer.name).items()}
        except ConvlensError:
            return {}
        if roles:
            found[layer.name] = roles
    return found


def without_weights(network: Network, weights: Mapping[str, Weight], unkept: frozenset[str]) -> list[str]:
    """Layers whose weights aren't in the file: left out of it, of a layer that isn't kept, or of a missing model."""
    absent = {layer.name for layer in network if isinstance(layer.operation, (Convolution, Dense, Normalisation))}
    known = weights or unkept
    missing = unkept.union(name for name, weight in weights.items() if weight.left_out) if known else absent
    return [layer.name for layer in network if layer.name in missing]


def model_facts(lens: Lens, traced: TracedNetwork, fact: ModelFact) -> dict[str, Any]:
    """All that is told of a network of a model but its weights: ``ModelContents`` without them."""
    network = traced.network
    derivations, kernels = {}, {}
    for layer in network:
        try:
            derivations[layer.name] = facts.derivation_fact(traced, layer.name)
            if layer.has_kernels:
                kernels[layer.name] = facts.kernels_fact(kernels_of(traced, layer.name, lens))
        except ConvlensError:
            continue  # a model that isn't there
    return {
        "network": facts.network_fact(lens, fact, network),
        "derivations": derivations,
        "kernels": kernels,
        "operations": {layer.name: operation_fact(layer.operation) for layer in network},
        "sums_in": {layer.name: layer.sums_in for layer in network if layer.sums_in is not None},
    }


def seen_facts(maps: FeatureMaps, blobs: Blobs) -> dict[str, Any]:
    """Which pixels reach which value, for the kept layers, as tables."""
    found = {}
    for name in maps:
        seen = maps.reach.seen(name)
        if seen is None or sum(table.size for table in seen.tables) > _LARGEST_TABLE:
            continue
        tables = [blobs.array(coding.as_i32(table)) for table in seen.tables]
        found[name] = {"tables": tables, "exact": seen.exact}
    return found


def input_facts(
    maps: FeatureMaps, pixels: NDArray[np.uint8] | None, png: int | None, blobs: Blobs
) -> dict[str, ArrayFact]:
    """What the network was fed with: as the picture's pixels and a table, where that gives every bit of it."""
    found = {}
    for given in maps.network.inputs:
        try:
            value = maps.value(given.name)
        except ConvlensError:
            continue
        of_pixels = None if pixels is None else _of_pixels(value, pixels)
        if of_pixels is None or png is None:
            found[given.name] = blobs.array(coding.as_f32(value))
            continue
        table, source = of_pixels
        blob = blobs.add(coding.deflated(table.astype("<f4").tobytes(), small=True))
        fact = ArrayFact(coding="pixels", shape=list(value.shape), blob=blob, exact=True)
        fact["png"], fact["from"] = png, source
        found[given.name] = fact
    return found


def _of_pixels(value: Array, pixels: NDArray[np.uint8]) -> tuple[Array, list[int]] | None:
    """A table (channels, 256) of values by pixel, and which channel of the picture each channel reads."""
    if value.ndim != 3 or value.shape[1:] != pixels.shape[:2]:
        return None
    tables, source = [], []
    for channel in value:
        for number in range(pixels.shape[2]):
            table = np.zeros(256, np.float32)
            table[pixels[..., number]] = channel
            if np.array_equal(table[pixels[..., number]].view(np.int32), np.ascontiguousarray(channel).view(np.int32)):
                tables.append(table)
                source.append(number)
                break
        else:
            return None
    return np.stack(tables), source
