"""What an ONNX file claims: numbers in other files, shapes, lengths. Checked at opening, before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import convlens
from convlens.errors import ConvlensError, MemoryBudgetError, ModelError

WEIGHTS = np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3)
BYTES = WEIGHTS.nbytes


def external(location: str, offset: object = 0, length: object = BYTES, **changes: Any) -> TensorProto:
    tensor = TensorProto(name="w", data_type=1, dims=WEIGHTS.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    for key, value in changes.items():
        if key == "dims":
            tensor.ClearField("dims")
            tensor.dims.extend(value)
        else:
            setattr(tensor, key, value)
    return tensor


def as_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return model([helper.make_node("Conv", ["x", "w"], ["c"])], [tensor])


def as_constant(tensor: TensorProto) -> onnx.ModelProto:
    return model([helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("Conv", ["x", "w"], ["c"])])


def in_a_branch(tensor: TensorProto) -> onnx.ModelProto:
    out = onnx.ValueInfoProto(name="b")
    branch = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["b"])], "branch", [], [out], [tensor])
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model([helper.make_node("If", ["yes"], ["c"], then_branch=branch, else_branch=branch)], [yes])


def in_a_function(tensor: TensorProto) -> onnx.ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("Conv", ["a", "w"], ["b"])]
    function = helper.make_function("own", "F", ["a"], ["b"], nodes, [helper.make_opsetid("", 13)])
    made = model([helper.make_node("F", ["x"], ["c"], domain="own")])
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made


def model(nodes: list[onnx.NodeProto], initializers: list[TensorProto] | None = None) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph(nodes, "g", [given], [onnx.ValueInfoProto(name="c")], initializers or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


WHERE = {"initializer": as_initializer, "constant": as_constant, "branch": in_a_branch, "function": in_a_function}
INSIDE = {
    "beside": external("data.bin"),
    "in a folder of its own": external("weights/data.bin"),
    "with a detour": external("weights/../data.bin"),
    "without a length": external("data.bin", length=None),
    "without an offset": external("data.bin", offset=None),
    "through a link that stays inside": external("inner.bin"),
}
REFUSED = {
    "above": external("../secret.bin"),
    "above, with a detour": external("weights/../../secret.bin"),
    "absolute": external("{outside}/secret.bin"),
    "absolute, though inside": external("{inside}/data.bin"),
    "a link to a file": external("link.bin"),
    "a link to a folder": external("linked/secret.bin"),
    "a chain of links": external("chain.bin"),
    "a loop of links": external("loop.bin"),
    "a folder": external("weights"),
    "the folder itself": external("."),
    "a pipe": external("pipe"),
    "a device": external("/dev/zero"),
    "no name": external(""),
    "a name with NUL": external("data\0.bin"),
    "a name of Windows": external("..\\secret.bin"),
    "a name that is too long": external("x" * 5000),
    "missing": external("none.bin"),
    "negative offset": external("data.bin", offset=-4),
    "negative length": external("data.bin", length=-BYTES),
    "offset that is no number": external("data.bin", offset="4.0"),
    "length that is no number": external("data.bin", length="0x10"),
    "length of thousands of digits": external("data.bin", length="9" * 5000),
    "past the end": external("data.bin", offset=10**6),
    "far past the end": external("data.bin", offset=10**18),
    "longer than the shape": external("data.bin", length=2 * BYTES),
    "shorter than the shape": external("data.bin", length=BYTES - 4),
    "a shape of terabytes": external("data.bin", dims=[10**6, 10**6, 3, 3]),
    "a shape beyond all numbers": external("data.bin", dims=[2**62, 2**62]),
    "a negative shape": external("data.bin", dims=[-2, -27]),
    "a type that isn't one": external("data.bin", data_type=99),
    "text": external("data.bin", data_type=TensorProto.STRING),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with good weights and bad links; what lies beside it must never be seen."""
    inside = tmp_path / "model"
    (inside / "weights").mkdir(parents=True)
    for place in (inside / "data.bin", inside / "weights" / "data.bin"):
        place.write_bytes(WEIGHTS.tobytes() + bytes(4 * BYTES))
    (tmp_path / "secret.bin").write_bytes(np.full(1000, 0.1234, np.float32).tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "linked").symlink_to(tmp_path)
    (inside / "chain.bin").symlink_to("link.bin")
    (inside / "loop.bin").symlink_to("loop.bin")
    (inside / "inner.bin").symlink_to("data.bin")
    os.mkfifo(inside / "pipe")
    return inside


def saved(folder: Path, made: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def placed(tensor: TensorProto, folder: Path) -> TensorProto:
    copy = TensorProto()
    copy.CopyFrom(tensor)
    location = copy.external_data[0]
    location.value = location.value.replace("{inside}", str(folder)).replace("{outside}", str(folder.parent))
    return copy


@pytest.mark.parametrize("build", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("tensor", INSIDE.values(), ids=INSIDE)
def test_weights_in_the_models_own_folder_are_read(
    folder: Path, tensor: TensorProto, build: Callable[[TensorProto], onnx.ModelProto]
) -> None:
    feed = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    plain = convlens.open(build(numpy_helper.from_array(WEIGHTS, "w"))).feature_maps(feed)
    found = convlens.open(saved(folder, build(tensor))).feature_maps(feed)
    assert list(found) == list(plain)
    for name in plain:
        assert np.array_equal(found[name].array, plain[name].array)


@pytest.mark.parametrize("build", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("tensor", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_in_one_line_and_never_opened(
    folder: Path,
    tensor: TensorProto,
    build: Callable[[TensorProto], onnx.ModelProto],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = saved(folder, build(placed(tensor, folder)))
    opened: list[str] = []
    monkeypatch.setattr(os, "open", _noting(os.open, opened))
    with pytest.raises((ModelError, MemoryBudgetError)) as caught:
        convlens.open(path)
    assert opened == []
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 600
    assert "Traceback" not in told


def _noting(real: Callable[..., int], opened: list[str]) -> Callable[..., int]:
    def noting(path: object, flags: int, *more: object, **named: object) -> int:
        if not str(path).endswith(".onnx"):
            opened.append(str(path))
        return real(path, flags, *more, **named)

    return noting


def test_a_live_model_reads_no_foreign_file_either(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for location in ("../secret.bin", "link.bin", "/dev/zero"):
        with pytest.raises(ModelError, match="outside"):
            convlens.open(as_initializer(external(location)))
    kernels = convlens.open(as_initializer(external("data.bin"))).kernels()
    assert np.array_equal(kernels.array, WEIGHTS)


def test_a_file_that_is_swapped_for_a_link_after_opening_is_not_read(folder: Path) -> None:
    lens = convlens.open(saved(folder, as_initializer(external("data.bin"))))
    (folder / "data.bin").unlink()
    (folder / "data.bin").symlink_to(folder.parent / "secret.bin")
    with pytest.raises(ModelError):
        lens.kernels()
    with pytest.raises(ConvlensError):
        lens.feature_maps(np.zeros((1, 3, 8, 8), np.float32))


def test_a_download_cache_of_links_opens(tmp_path: Path) -> None:
    """Model and weights lie under other names in one folder, and are linked from another under their own."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "named").mkdir()
    whole = as_initializer(numpy_helper.from_array(WEIGHTS, "w"))
    onnx.save(whole, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
    for name, blob in (("m.onnx", "a1"), ("m.data", "b2")):
        (tmp_path / name).rename(tmp_path / "blobs" / blob)
        (tmp_path / "named" / name).symlink_to(f"../blobs/{blob}")
    maps = convlens.open(tmp_path / "named" / "m.onnx").feature_maps(np.ones((1, 3, 8, 8), np.float32))
    assert maps.verify() == {"w" if "w" in maps else next(iter(maps)): 0.0}


DAMAGED = {
    "raw, too few": TensorProto(name="w", data_type=1, dims=[2, 3, 3, 3], raw_data=bytes(8)),
    "raw, large and too few": TensorProto(name="w", data_type=1, dims=[200, 3, 3, 3], raw_data=bytes(8000)),
    "raw, too many": TensorProto(name="w", data_type=1, dims=[2, 3, 3, 3], raw_data=bytes(BYTES + 4)),
    "none": TensorProto(name="w", data_type=1, dims=[10**9, 3, 3, 3]),
    "typed, too few": TensorProto(name="w", data_type=1, dims=[2, 3, 3, 3], float_data=[1.0]),
    "negative": TensorProto(name="w", data_type=1, dims=[-1, 3, 3, 3], float_data=[1.0]),
    "overflowing": TensorProto(name="w", data_type=1, dims=[2**40, 2**40, 3, 3]),
    "unknown type": TensorProto(name="w", data_type=77, dims=[1], float_data=[1.0]),
    "too few texts": TensorProto(name="w", data_type=8, dims=[3], string_data=[b"a"]),
}


@pytest.mark.parametrize("build", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("tensor", DAMAGED.values(), ids=DAMAGED)
def test_a_tensor_that_claims_other_than_it_holds(
    tmp_path: Path, tensor: TensorProto, build: Callable[[TensorProto], onnx.ModelProto]
) -> None:
    made = build(tensor)
    for opened in (saved(tmp_path, made), made):
        with pytest.raises(ModelError, match="damaged"):
            convlens.open(opened)


def test_a_file_whose_weights_are_the_same_bytes_again_and_again(folder: Path) -> None:
    (folder / "zeros.bin").touch()
    os.truncate(folder / "zeros.bin", 10**12)  # a hole: it takes no room on the disk
    many = [external("zeros.bin", length=4 * 10**11, dims=[10**11]) for _ in range(9)]
    for number, tensor in enumerate(many):
        tensor.name = f"w{number}"
    with pytest.raises(MemoryBudgetError):
        convlens.open(saved(folder, model([helper.make_node("Sum", ["x", *(t.name for t in many)], ["c"])], many)))


def test_sparse_weights_are_held_against_memory_before_they_are_written_out(tmp_path: Path) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64), "i"), [10**7, 10**7])
    made = model([helper.make_node("MatMul", ["x", "w"], ["c"])])
    made.graph.sparse_initializer.append(sparse)
    with pytest.raises(MemoryBudgetError):
        convlens.open(saved(tmp_path, made))


@pytest.mark.parametrize("depth", [8, 40])
def test_functions_that_stand_for_more_nodes_than_any_memory_holds(tmp_path: Path, depth: int) -> None:
    made = model([helper.make_node(f"F{depth}", ["x"], ["c"], domain="own")])
    made.opset_import.append(helper.make_opsetid("own", 1))
    for level in range(depth + 1):
        inner = {"domain": "own"} if level else {}
        calls = [helper.make_node(f"F{level - 1}" if level else "Relu", ["a"], [f"b{i}"], **inner) for i in range(10)]
        calls.append(helper.make_node("Sum", [f"b{i}" for i in range(10)], ["b"]))
        imports = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
        made.functions.append(helper.make_function("own", f"F{level}", ["a"], ["b"], calls, imports))
    with pytest.raises(ModelError, match="nodes"):
        convlens.open(saved(tmp_path, made))


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    made = in_a_function(numpy_helper.from_array(WEIGHTS, "w"))
    made.functions[0].node.append(helper.make_node("F", ["b"], ["d"], domain="own"))
    with pytest.raises(ModelError, match="without end"):
        convlens.open(saved(tmp_path, made))
