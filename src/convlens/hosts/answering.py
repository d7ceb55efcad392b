"""What the page asks while it shows a run, answered: the same for the server and for a notebook's kernel.

A host only carries the questions and the answers; facts are what JSON can hold, numbers are arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens.errors import InputError
from convlens.hosts.desk import NotFoundError
from convlens.hosts.wire import facts
from convlens.hosts.wire.pictures import as_read, as_webp
from convlens.hosts.wire.schema import (
    BoxFact,
    DerivationFact,
    EffectiveFact,
    ExplanationFact,
    KernelsFact,
    NetworkFact,
    PictureValueFact,
)
from convlens.lens import tiles
from convlens.lens.kernels import kernels_of

if TYPE_CHECKING:
    from convlens.engines.base import Array
    from convlens.hosts.desk import Desk, Model
    from convlens.hosts.running import Run
    from convlens.lens import Kernels, Lens
    from convlens.lens.traced import TracedNetwork
    from convlens.network import Shape

AT_ONCE = 1 << 26
"""Values of one answer; the same channel can be asked for any number of times."""


def network(desk: Desk, model: str) -> NetworkFact:
    """The network as data, at the sizes that the model states."""
    opened = desk.model(model)
    with opened.lock:
        return _network_fact(opened, opened.lens, opened.lens.stated)


def derivation(desk: Desk, model: str, layer: str) -> DerivationFact:
    """How the numbers of a layer come about, at the sizes that the model states."""
    opened = desk.model(model)
    with opened.lock:
        return facts.derivation_fact(opened.lens.stated, layer)


def kernels(desk: Desk, model: str, layer: str) -> KernelsFact:
    """The kernels of a layer, without their numbers."""
    opened = desk.model(model)
    with opened.lock:
        return facts.kernels_fact(opened.lens.kernels(layer))


def kernel_values(desk: Desk, model: str, layer: str, first: int, count: int | None) -> Array:
    """The numbers of some filters: float32 (filters, channels per group, rows, columns)."""
    opened = desk.model(model)
    with opened.lock:
        return _filters(opened.lens.kernels(layer), first, count)


def run_network(desk: Desk, run: Run) -> NetworkFact:
    """The network of a run: its sizes, and the path that it took. Takes no lock, so that it is known while it runs."""
    lens, traced = run.network()
    return _network_fact(desk.model(run.model), lens, traced)


def run_derivation(desk: Desk, run: Run, layer: str) -> DerivationFact:
    """How the numbers of a layer of a run come about."""
    _, traced = run.network()
    with desk.model(run.model).lock:
        return facts.derivation_fact(traced, layer)


def run_kernels(desk: Desk, run: Run, layer: str) -> KernelsFact:
    """The kernels of a layer of a run, without their numbers."""
    lens, traced = run.network()
    with desk.model(run.model).lock:
        return facts.kernels_fact(kernels_of(traced, layer, lens))


def run_kernel_values(desk: Desk, run: Run, layer: str, first: int, count: int | None) -> Array:
    """The numbers of some filters of a layer of a run, as :func:`kernel_values`."""
    lens, traced = run.network()
    with desk.model(run.model).lock:
        return _filters(kernels_of(traced, layer, lens), first, count)


def _network_fact(model: Model, lens: Lens, traced: TracedNetwork) -> NetworkFact:
    return facts.network_fact(lens, model.told(lens.engine), traced.network)


def _filters(kernels: Kernels, first: int, count: int | None) -> Array:
    return kernels.array[first : None if count is None else first + count]


def maps(run: Run, layer: str, level: int, channels: Sequence[int], slice: int) -> Array:
    """Several whole maps at one level of detail: (channels, rows, columns); float16 above level 0 where it fits.

    Raises:
        InputError: that is too much at once.
    """
    planes = run.planes(layer)
    if len(channels) * planes.shape[2] * planes.shape[3] >> 2 * level > AT_ONCE:
        raise InputError(
            "That is too much at once",
            expected=f"up to {AT_ONCE:,} values",
            received=f"{len(channels):,} maps of {planes.shape[2]} x {planes.shape[3]} at level {level}",
            hint="Ask for fewer channels, a higher level, or tiles.",
        )
    found = tiles.at_level(planes, level, channels, slice)
    return tiles.as_float16(found) if level else found


def tile(run: Run, layer: str, level: int, channel: int, slice: int, row: int, column: int) -> Array:
    """One tile of one map at one level; float32 at level 0, float16 above where it fits."""
    found = tiles.tile_of(run.planes(layer), level, channel, slice, row, column)
    return tiles.as_float16(found) if level else found


def explanation(desk: Desk, run: Run, layer: str, index: Shape, groups: int) -> ExplanationFact | PictureValueFact:
    """Why this value is what it is; a network input's name gives its own value."""
    shown = run.finished()
    if not any(given.name == layer for given in shown.network.inputs):
        run.array(layer)  # an error that names what there is
    place = placed(index, np.shape(shown.value(layer)), layer)
    with desk.model(run.model).lock:
        return facts.explanation_fact(shown.explain(layer, place, anywhere=True), groups)


def field(desk: Desk, run: Run, layer: str, index: Shape) -> BoxFact | None:
    """The pixels that can reach this value; ``None`` where the layer doesn't read the picture."""
    shown = run.finished()
    place = placed(index, run.array(layer).shape, layer)
    if shown.network[layer].receptive_field is None:
        return None
    with desk.model(run.model).lock:
        return facts.box_fact(shown[layer].receptive_field(**_named(place)))


def effective(desk: Desk, run: Run, layer: str, index: Shape) -> tuple[EffectiveFact, Array]:
    """How much each pixel moves this value, and how that was measured; measured once for both questions."""
    place = placed(index, run.array(layer).shape, layer)
    shown = run.finished()

    def measure() -> Any:
        with desk.model(run.model).lock:
            named: dict[str, Any] = {**_named(place)}
            return shown[layer].effective_receptive_field(**named)

    found = run.remembered((layer, place), measure)
    rows, columns = found.heat.shape[-2:]
    return EffectiveFact(method=found.method, words=found.in_words, rows=rows, columns=columns), found.heat


def picture(run: Run) -> bytes:
    """The picture as the network reads it, as PNG.

    Raises:
        NotFoundError: what was fed is no picture.
    """
    pixels = as_read(run.finished())
    if pixels is None:
        raise NotFoundError(
            "This input is no picture", expected="1 or 3 channels", received="an array of another shape"
        )
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def original(desk: Desk, picture: str, width: int) -> bytes:
    """The picture as it was given, at most ``width`` pixels wide and high, as WebP.

    Raises:
        NotFoundError: there is no such picture, or an array was fed.
    """
    shelved = desk.picture(picture)
    if shelved.picture is None:
        raise NotFoundError("This input was fed as an array; there is no picture of it", received=picture)
    return as_webp(shelved.picture, width)


def placed(index: Shape, shape: Shape, layer: str) -> Shape:
    """An index within an array's shape.

    Raises:
        InputError: there is no value at this index.
    """
    if len(index) != len(shape) or any(not 0 <= at < size for at, size in zip(index, shape, strict=False)):
        where = ",".join(map(str, index))
        raise InputError(
            f"{layer[:100]} has no value at {where or 'no place'}",
            expected="an index within " + (" x ".join(map(str, shape)) or "a scalar: no index"),
            received=where or "none",
        )
    return index


def _named(place: Shape) -> dict[str, int]:
    """An index as the lens takes places."""
    names = {0: (), 1: ("channel",), 2: ("channel", "column"), 3: ("channel", "row", "column")}
    found = names.get(len(place), ("channel", "depth", "row", "column"))
    return dict(zip(found, place, strict=False))
