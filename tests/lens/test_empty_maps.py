"""Maps without a value: an axis of no length, a run of which no layer was kept; in every host and every file."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tests.hosts.report.reading import Opened

import convlens
from convlens.errors import ConvlensError
from convlens.hosts.report import Exhibit, gallery
from convlens.lens import files
from convlens.lens.channels import histogram, survey
from convlens.lens.tiles import as_planes, at_level, levels_of

ROWS, COLUMNS = 8, 9


def model() -> onnx.ModelProto:
    """A convolution whose maps are cut to no row, no column, no channel, and joined again with what is there."""
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(size=(2, 3, 3, 3)).astype(np.float32), "w")
    numbers = [numpy_helper.from_array(np.array([value], np.int64), name) for name, value in (("zero", 0), ("one", 1))]
    numbers += [
        numpy_helper.from_array(np.array([value], np.int64), name) for name, value in (("two", 2), ("three", 3))
    ]
    nodes = [helper.make_node("Conv", ["x", "w"], ["conv"], "conv")]
    for name, axis in (("channels", "one"), ("rows", "two"), ("columns", "three")):
        nodes.append(helper.make_node("Slice", ["conv", "zero", "zero", axis], [f"no-{name}"], f"no-{name}"))
        nodes.append(helper.make_node("Relu", [f"no-{name}"], [f"relu-{name}"], f"relu-{name}"))
    nodes.append(helper.make_node("Concat", ["relu-rows", "conv"], ["joined"], "joined", axis=2))
    shape = [1, 3, ROWS, COLUMNS]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("relu-channels", "joined")]
    graph = helper.make_graph(
        nodes, "empty", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], ends, [weights, *numbers]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def lens() -> convlens.Lens:
    return convlens.open(model())


KEPT: dict[str, list[str] | None] = {
    "all": None,
    "none": [],
    "empty": ["no-channels", "relu-rows", "relu-columns"],
    "both": ["conv", "no-rows"],
}


@pytest.fixture(scope="module", params=KEPT)
def maps(lens: convlens.Lens, request: pytest.FixtureRequest) -> convlens.FeatureMaps:
    picture = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)
    return lens.feature_maps(picture, layers=KEPT[request.param])


@pytest.fixture(autouse=True)
def _no_warnings() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def test_the_shapes_are_what_the_framework_says(lens: convlens.Lens) -> None:
    found = lens.feature_maps(np.zeros((ROWS, COLUMNS, 3), np.uint8))
    shapes = {name: found[name].array.shape for name in found}
    assert shapes["no-channels"] == shapes["relu-channels"] == (0, 6, 7)
    assert shapes["no-rows"] == (2, 0, 7)
    assert shapes["no-columns"] == (2, 6, 0)
    np.testing.assert_array_equal(found["joined"].array, found["conv"].array)


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".zarr"])
def test_saved_and_loaded(maps: convlens.FeatureMaps, lens: convlens.Lens, tmp_path: Path, ending: str) -> None:
    path = maps.save(tmp_path / f"maps{ending}")
    assert files.is_ours(path)
    maps.save(path)
    for again in (convlens.load(path), convlens.load(path, model=lens)):
        assert list(again) == list(maps)
        for name in maps:
            assert again[name].array.shape == maps[name].array.shape
            np.testing.assert_array_equal(again[name].array, maps[name].array)


def test_in_a_report(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    maps.report(tmp_path / "maps.html")
    run = Opened((tmp_path / "maps.html").read_text("utf-8")).runs[0]
    assert [found["layer"] for found in run["run"]["maps"]] == list(maps)
    for found in run["run"]["maps"]:
        assert found["shape"] == list(maps[found["layer"]].array.shape)
    assert gallery([Exhibit(maps), Exhibit(maps)]).size > 0


def test_drawn_printed_and_measured(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    assert maps._repr_html_()
    assert maps.to_dict()["layers"] == [found.to_dict() for found in maps.values()]
    for found in maps.values():
        assert Image.open(io.BytesIO(found.png())).size
        assert repr(found)
        measured = survey(found.array)
        edges, counts = histogram(found.array, measured)
        assert counts.sum() == found.array.size
        assert len(edges) == len(counts) + 1
        planes = as_planes(found.array)
        assert planes.size == found.array.size
        for level in range(levels_of(*planes.shape[2:])):
            assert at_level(planes, level, range(planes.shape[0]), 0).shape[0] == planes.shape[0]
        if found.array.size == 0:
            with pytest.raises(ConvlensError):
                found.explain(0, 0, 0)
            with pytest.raises(ConvlensError):
                found.animate(tmp_path / "empty.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3, 4), (2, 3, 0, 0), (0, 0, 0, 0, 0), (3, 0), (0,), ()])
def test_planes_of_any_rank(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    assert as_planes(array).ndim == 4
    assert as_planes(array).size == array.size
    survey(array)
