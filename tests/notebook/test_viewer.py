"""The widget without a page: what can be set, what it answers, and that old ones don't hold memory."""

from __future__ import annotations

import gc
import weakref
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convlens
from convlens import pictures
from convlens.errors import ChannelError, InputError, LayerNotFoundError
from convlens.hosts.notebook.viewer import Viewer
from convlens.hosts.wire import facts
from convlens.lens import FeatureMaps, memory

LINE = "conv 4 3x3 pad 1 | relu | maxpool 2x2 stride 2 | conv 8 3x3 | globalavgpool | dense 10"


@pytest.fixture
def maps() -> FeatureMaps:
    return convlens.sketch(LINE, input_shape=(3, 40, 60), seed=3).feature_maps(pictures.cat())


class Asking:
    """Asks a viewer as its page does, and keeps the answers."""

    def __init__(self, view: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.view = view
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        monkeypatch.setattr(view, "send", lambda content, buffers=None: self.sent.append((content, buffers or [])))

    def __call__(self, name: str, file: bytes | None = None, /, **given: Any) -> tuple[dict[str, Any], bytes]:
        content = {"ask": name, "with": given, "id": "7", "view": "v"}
        self.view._handle_custom_msg(content, [] if file is None else [memoryview(file)])
        told, data = self.sent.pop()
        assert (told["id"], told["view"]) == ("7", "v")
        return told, bytes(data[0]) if data else b""


@pytest.fixture
def ask(maps: FeatureMaps, monkeypatch: pytest.MonkeyPatch) -> Asking:
    return Asking(Viewer(maps), monkeypatch)


def test_a_layer_begins_at_its_strongest_channel_without_a_pixel(maps: FeatureMaps) -> None:
    view = Viewer(maps["conv2"])
    strongest = int(np.abs(maps["conv2"].array).mean(axis=(1, 2)).argmax())
    assert (view.layer, view.channel) == ("conv2", strongest)
    assert view.trait_values()["pixel"] is None
    view.pixel = 2, 3
    view.layer = "relu"
    assert view.trait_values()["pixel"] is None


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("layer", "conv3", LayerNotFoundError),
        ("channel", 4, ChannelError),
        ("channel", -1, ChannelError),
        ("pixel", (40, 0), InputError),
        ("pixel", (0, 60), InputError),
        ("pixel", (-1, 0), InputError),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_changes(
    maps: FeatureMaps, name: str, value: Any, error: type[Exception]
) -> None:
    view = Viewer(maps)
    view.channel, view.pixel = 3, (39, 59)
    with pytest.raises(error):
        setattr(view, name, value)
    assert (view.layer, view.channel, view.pixel) == ("conv", 3, (39, 59))


def test_what_the_page_chooses_arrives_at_once_and_can_be_watched(maps: FeatureMaps) -> None:
    view, seen = Viewer(maps), []
    view.observe(lambda change: seen.append((view.layer, view.channel, view.pixel)), ["layer", "channel", "pixel"])
    view.set_state({"layer": "conv2", "channel": 7, "pixel": [5, 6]})
    assert (view.layer, view.channel, view.pixel) == ("conv2", 7, (5, 6))
    assert set(seen) == {("conv2", 7, (5, 6))}


def test_maps_and_kernels_travel_bit_for_bit(ask: Asking, maps: FeatureMaps) -> None:
    session = ask("session")[0]["fact"]
    run = ask("start", model=session["model"], picture=session["picture"], recipe=None)[0]["fact"]
    assert run["state"] == "done"
    told, data = ask("maps", run=run["id"], layer="conv2", level=0, channels=[5, 1], slice=0)
    assert told["shape"] == [2, 18, 28]
    assert data == maps["conv2"].array[[5, 1]].tobytes()
    told, data = ask("kernelValues", model=session["model"], layer="conv2", first=2, count=3)
    assert told["shape"] == [3, 4, 3, 3]
    assert data == maps.lens.kernels("conv2").array[2:5].tobytes()
    told, _ = ask("maps", run=run["id"], layer="conv", level=1, channels=[0], slice=0)
    assert (told["dtype"], told["shape"]) == ("float16", [1, 20, 30])


def test_an_explanation_is_pythons_own(ask: Asking, maps: FeatureMaps) -> None:
    session = ask("session")[0]["fact"]
    run = ask("start", model=session["model"], picture=session["picture"], recipe=None)[0]["fact"]
    told, _ = ask("explanation", run=run["id"], layer="conv2", index=[3, 4, 5], groups=24)
    assert told["fact"] == facts.explanation_fact(maps.explain("conv2", (3, 4, 5)), 24)


def test_another_picture_is_run(ask: Asking, maps: FeatureMaps) -> None:
    file = BytesIO()
    Image.open(pictures.cat_path()).rotate(180).save(file, "PNG")
    picture = ask("addPicture", file.getvalue(), name="turned.png")[0]["fact"]
    assert picture["name"] == "turned.png"
    session = ask("session")[0]["fact"]
    run = ask("start", model=session["model"], picture=picture["id"], recipe=None)[0]["fact"]
    arrived, ended = 0, False
    while not ended:
        now = ask("progress", run=run["id"], sent=arrived)[0]["fact"]
        arrived, ended = arrived + len(now["maps"]), now["ended"]
    assert arrived == len(maps)


@pytest.mark.parametrize(
    ("name", "given", "status"),
    [
        ("weather", {}, 422),
        ("network", {"model": "none"}, 404),
        ("channels", {"run": "none", "layer": "conv"}, 404),
        ("maps", {}, 500),
    ],
)
def test_an_error_is_answered_in_words(ask: Asking, name: str, given: dict[str, Any], status: int) -> None:
    told, _ = ask(name, **given)
    assert told["status"] == status
    assert told["problem"]["problem"]


def test_old_viewers_let_their_maps_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> FeatureMaps:
        return convlens.sketch(LINE, input_shape=(3, 40, 60), seed=3).feature_maps(pictures.cat())

    first = made()
    old, gone = Viewer(first), weakref.ref(first)
    size = sum(first.value(name).nbytes for name in first)
    del first
    gc.collect()
    assert gone() is not None
    monkeypatch.setattr(memory, "available", lambda: 4 * size + 400)
    new = Viewer(made())
    gc.collect()
    assert gone() is None
    told, _ = Asking(old, monkeypatch)("session")
    assert "let go" in told["problem"]["problem"]
    assert Asking(new, monkeypatch)("session")[0]["fact"]["models"]
    assert repr(old) == "Viewer, closed"


def test_a_terminal_shows_what_it_showed_before(maps: FeatureMaps) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    try:
        for what in (maps, maps["conv"], maps.lens, maps.lens.kernels("conv")):
            data, _ = shell.display_formatter.format(what)
            assert data["text/plain"] == repr(what)
    finally:
        InteractiveShell.clear_instance()


def test_a_layer_that_stands_alone_has_no_viewer(maps: FeatureMaps) -> None:
    alone = convlens.FeatureMap(maps["conv"].layer, maps["conv"].array, caption="")
    with pytest.raises(NotImplementedError):
        Viewer(alone)
