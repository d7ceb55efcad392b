"""The viewer as a widget: what it shows can be seen and set from Python.

A cell gets two outputs. The first is the live viewer with a static picture beside it, which is what a front end
without widgets shows (GitHub's view, for one). The second is a viewer that needs no kernel, the one of a report's file:
an export by nbconvert shows it, since its widgets need the network and a kernel; where the live one runs, that one
hides it.
"""

from __future__ import annotations

from importlib.resources import files
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import anywidget
import traitlets

from convlens.errors import ChannelError, ConvlensError, InputError
from convlens.hosts import viewing
from convlens.hosts.desk import Desk
from convlens.hosts.notebook import frame, keeping, showing
from convlens.hosts.notebook.asking import Answer, answer
from convlens.hosts.notebook.shown import PLAIN, Shown
from convlens.hosts.wire import facts
from convlens.lens import channels, memory
from convlens.lens.tiles import as_planes

Pixel = tuple[int, int]
_QUIET = 4.0  # seconds without a question, after which nobody waits for an answer
_KEEPING = Lock()  # one keepsake at a time
_OPEN: list[Viewer] = []
"""Oldest first. A notebook holds every widget until it is closed, also those whose cells were run again."""


class Viewer(anywidget.AnyWidget):
    """The live viewer of a lens, of its maps on one picture, of one layer's maps, of its kernels.

    ``layer``, ``channel`` and ``pixel`` (row, column; ``None`` where none is chosen) are what the page shows: they can
    be read, watched with ``observe``, and set. ``height`` is the cell's, in pixels.

    Raises:
        LayerNotFoundError, ChannelError, InputError: what was set isn't there; nothing has changed then.
        NotImplementedError: ``what`` stands alone, without the lens that it came from.

    >>> import convlens, numpy as np
    >>> maps = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 8, 8)).feature_maps(np.zeros((8, 8, 3), np.uint8))
    >>> view = Viewer(maps)
    >>> view.layer = "relu"
    >>> view.pixel = 2, 3
    >>> view.layer, view.channel, view.pixel
    ('relu', 0, (2, 3))
    """

    _esm = files(__package__).joinpath("widget.js").read_text("utf-8")
    _title = traitlets.Unicode("convlens").tag(sync=True)
    _kept = traitlets.Unicode("").tag(sync=True)

    layer = traitlets.Unicode("").tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    pixel = traitlets.Tuple(traitlets.Int(), traitlets.Int(), allow_none=True, default_value=None).tag(sync=True)
    height = traitlets.Int(620, min=200, max=4000).tag(sync=True)

    shown: Shown | None = None
    """What it shows; ``None`` once it is closed."""

    def __init__(self, what: object, **options: Any) -> None:
        shown = Shown.of(what)
        self.shown = shown
        lens, maps = shown.lens, shown.maps
        self._maps = maps
        self._network = lens.network if maps is None else maps.network
        self._from_page = False
        self._last_asked = monotonic()
        self._desk = Desk()
        viewing.add_model(self._desk, self._network.name, lens)
        if maps is not None:
            viewing.add_maps(self._desk, maps)
        names = [found.name for found in self._network]
        first = next((found.name for found in self._network if found.has_kernels), names[0] if names else "")
        super().__init__(_title=f"convlens: {self._network.name}", _kept=uuid4().hex, **options)
        self.on_msg(self._asked)
        self.layer = shown.layer if shown.layer is not None else first
        _OPEN.append(self)
        _make_room()

    # --- how it shows itself

    def show(self) -> None:
        """Show it in the cell that runs, live and kept.

        Where a person looks on, the kept one is made afterwards, when the page asks no more; a notebook that runs by
        itself, as in nbconvert, waits for it.
        """
        data, about = self._repr_mimebundle_() or ({}, {})
        showing.publish(data, about)
        shown, name = self.shown, self._kept
        if shown is None:
            return
        words = f"The viewer of {shown.what!r}, kept in this file"
        if not showing.is_watched():
            showing.publish({"text/html": keeping.keepsake(shown, name), PLAIN: words})
            return
        showing.publish({"text/html": keeping.placeholder(shown, name), PLAIN: words}, name=name)

        def keep() -> None:
            while monotonic() - self._last_asked < _QUIET:
                sleep(_QUIET / 4)
            try:
                with _KEEPING:
                    kept = keeping.keepsake(shown, name)
            except Exception:  # what the framework says while the person's own cells run is for none of them
                return
            showing.publish({"text/html": kept, PLAIN: words}, name=name, again=True)

        Thread(target=keep, name="convlens-keep", daemon=True).start()

    def _ipython_display_(self) -> None:
        if not showing.in_notebook():
            raise NotImplementedError
        self.show()

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        data, about = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **({} if self.shown is None else self.shown.still())}, about

    # --- what is chosen

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if name:
            _ = self._network[name]
        return name

    @traitlets.validate("channel")
    def _check_channel(self, proposal: Any) -> int:
        number, shape = int(proposal["value"]), self._shape()
        if shape is not None and not 0 <= number < shape[0]:
            raise ChannelError(
                f"{self.layer} has no channel {number}", expected=f"0 to {shape[0] - 1}", received=str(number)
            )
        return number

    @traitlets.validate("pixel")
    def _check_pixel(self, proposal: Any) -> Pixel | None:
        place = proposal["value"]
        if place is None:
            return None
        row, column = int(place[0]), int(place[1])
        shape = self._shape()
        if shape is not None and not (0 <= row < shape[2] and 0 <= column < shape[3]):
            raise InputError(
                f"{self.layer} has no pixel at row {row}, column {column}",
                expected=f"rows 0 to {shape[2] - 1}, columns 0 to {shape[3] - 1}",
                received=f"{row}, {column}",
            )
        return row, column

    @traitlets.observe("layer")
    def _follow_layer(self, _change: Any) -> None:
        """Another layer begins at its strongest channel, without a pixel, as it does in the page."""
        if self._from_page:
            return
        self.set_trait("pixel", None)
        self.channel = 0 if self._maps is None or self.layer not in self._maps else self._strongest()

    def _strongest(self) -> int:
        assert self._maps is not None
        return channels.survey(self._maps[self.layer].array).strongest

    def _shape(self) -> tuple[int, ...] | None:
        """The chosen layer's maps as (channels, slices, rows, columns), where they are known."""
        if self._maps is None or self.layer not in self._maps:
            return None
        return as_planes(self._maps[self.layer].array).shape

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page has chosen arrives: all at once."""
        self._from_page = True
        try:
            super().set_state(sync_data)
        finally:
            self._from_page = False

    # --- what the page asks

    def _asked(self, _widget: Any, content: Any, buffers: list[Any]) -> None:
        if not isinstance(content, dict) or "ask" not in content:
            return
        self._last_asked = monotonic()
        view, asked, given = content.get("view", ""), str(content["ask"]), content.get("with") or {}
        to = {"view": view, "id": content.get("id")}
        if asked == "page":
            try:
                page = frame.page(dark=given.get("dark"))
            except ConvlensError as error:
                page = frame.notice(f"{error}")
            self.send({**to, "page": True}, [page.encode()])
            return
        if self.shown is None:
            found = Answer(problem=facts.problem_fact(_GONE), status=404)
        elif asked == "opening":
            found = Answer({"layer": self.layer, "channel": self.channel, "pixel": self.pixel, "tab": self.shown.tab})
        else:
            file = bytes(buffers[0]) if buffers else None
            found = answer(self._desk, f"{self.model_id}-{view}", asked, given, file)
        told, data = found.message()
        self.send({**to, **told}, data)

    def __repr__(self) -> str:
        return "Viewer, closed" if self.shown is None else f"Viewer of {self.shown.what!r}"

    def close(self) -> None:
        """Take the viewer from the page, and let its maps go."""
        if self in _OPEN:
            _OPEN.remove(self)
        if self.shown is not None:
            self._let_go()
        super().close()

    def _let_go(self) -> None:
        self._desk.close()
        self._desk, self._maps, self.shown = Desk(), None, None


_GONE = ConvlensError(
    "The maps of this cell were let go, to keep memory bounded", hint="Run the cell again; view.close() frees others."
)


def _make_room() -> None:
    """Let the oldest viewers' maps go while all together hold more than a quarter of the free memory."""
    while len(_OPEN) > 1:
        maps = {id(one._maps): one._maps for one in _OPEN if one._maps is not None}
        if sum(found.value(name).nbytes for found in maps.values() for name in found) <= memory.available() // 4:
            return
        _OPEN.pop(0)._let_go()
