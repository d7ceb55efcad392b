"""PyTorch's model files: opened where nothing in them runs, refused with the way on where something would."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.engines.torch_models import InPlaceRelu, ResNet, Shared, TwoInputs, UNet, seeded
from torch import Tensor, nn

from convlens.engines import registry
from convlens.engines.base import Array
from convlens.engines.torch import TorchEngine
from convlens.engines.torch.archives import _only_calculates, _only_names
from convlens.errors import ConvlensError, InputError, ModelError, UntrustedModelError
from convlens.network import Kind, Network


def captured(engine: TorchEngine, feed: Mapping[str, Tensor | Array]) -> tuple[Network, dict[str, Array]]:
    maps: dict[str, Array] = {}
    network = engine.run(feed, None, lambda layer, array: maps.update({layer.name: array})).network
    return network, maps


def weights(engine: TorchEngine, feed: Mapping[str, Tensor | Array], layer: str) -> Mapping[str, Array]:
    return engine.run(feed, frozenset(), lambda layer, array: None).weights(layer)


def exported(
    model: nn.Module, *examples: Tensor, path: Path | None = None, batch: bool = False
) -> torch.export.ExportedProgram:
    free = tuple({0: torch.export.Dim("batch", min=1, max=64)} for _ in examples) if batch else None
    program = torch.export.export(model, examples, dynamic_shapes=free)
    if path is not None:
        torch.export.save(program, path)
    return program


def picture(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


# -- exported programs


def test_row_22_an_exported_program_is_the_live_model(tmp_path: Path) -> None:
    model = seeded(lambda: ResNet((4, 6), 2, 5))
    x = picture(2, 3, 32, 40)
    exported(model, x, path=tmp_path / "model.pt2", batch=True)
    engine = TorchEngine.open(tmp_path / "model.pt2")
    assert [(given.name, given.shape, given.batch) for given in engine.inputs] == [("x", (3, 32, 40), None)]
    live, expected = captured(TorchEngine.open(model), {"x": x})
    network, maps = captured(engine, {"x": x})
    assert [(layer.name, layer.op, layer.inputs) for layer in network.layers] == [
        (layer.name, layer.op, layer.inputs) for layer in live.layers
    ]
    assert [layer.operation for layer in network.layers] == [layer.operation for layer in live.layers]
    assert [layer.scope for layer in network.layers] == [layer.scope for layer in live.layers]
    assert network.parameters == live.parameters
    assert network.name == "model.pt2"
    for name, array in expected.items():
        np.testing.assert_array_equal(maps[name], array, err_msg=name)
    np.testing.assert_array_equal(engine.predict({"x": x})["fc"], expected["fc"])
    np.testing.assert_array_equal(weights(engine, {"x": x}, "conv1")["kernel"], model.conv1.weight.detach().numpy())


def test_row_22_a_live_exported_program_with_shared_modules() -> None:
    model = seeded(Shared)
    x = picture(1, 3, 6, 5)
    network, maps = captured(TorchEngine.open(exported(model, x)), {"x": x})
    assert [layer.name for layer in network.layers] == ["first", "again", "act", "again:2", "act:2"]
    assert network["again:2"].shares == "again"
    with torch.no_grad():
        np.testing.assert_array_equal(maps["act:2"], model(x)[0].numpy())


def test_a_decomposed_program_has_the_same_kinds_and_values() -> None:
    """``run_decompositions`` leaves core operators: convolution, addmm, permute, ..."""
    model = seeded(lambda: ResNet((4, 6), 2, 5))
    x = picture(1, 3, 32, 40)
    engine = TorchEngine.open(exported(model, x).run_decompositions())
    network, maps = captured(engine, {"x": x})
    live, expected = captured(TorchEngine.open(model), {"x": x})
    for kind in (Kind.CONVOLUTION, Kind.NORMALISATION, Kind.DENSE, Kind.POOLING, Kind.ADD):
        assert sum(n.kind is kind for n in network.layers) == sum(n.kind is kind for n in live.layers), kind
    np.testing.assert_allclose(maps["conv1"], expected["conv1"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps[network.outputs[0]], expected["fc"], rtol=1e-4, atol=1e-5)
    assert weights(engine, {"x": x}, "bn1")["variance"].shape == (4,)


def test_an_exported_program_of_another_size_is_refused() -> None:
    engine = TorchEngine.open(exported(seeded(InPlaceRelu), picture(1, 3, 8, 9)))
    for shape in ((1, 3, 8, 10), (2, 3, 8, 9), (1, 3, 8)):
        with pytest.raises(InputError, match=r"expected .*\(1, 3, 8, 9\).*received"):
            engine.run({"x": picture(*shape)}, None, lambda layer, array: None)
        with pytest.raises(InputError):
            engine.trace({"x": shape})


def test_row_29_a_fixed_batch_is_filled_up_with_copies() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 7, 5)))
    x = picture(1, 3, 8, 9)
    engine = TorchEngine.open(exported(model, picture(4, 3, 8, 9)))
    live, expected = captured(TorchEngine.open(model), {"input": x})
    assert [given.batch for given in engine.inputs] == [4]
    for fed in (x, x.numpy(), x):  # the third is a repeated run
        network, maps = captured(engine, {"input": fed})
        assert [layer.output_shape for layer in network.layers] == [layer.output_shape for layer in live.layers]
        for name, array in expected.items():
            assert maps[name].shape == array.shape
            np.testing.assert_allclose(maps[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    assert engine.trace({"input": (1, 3, 8, 9)}).network == network
    np.testing.assert_allclose(engine.predict({"input": x})["3"], expected["3"], rtol=1e-5, atol=1e-6)
    gradient = engine.gradient({"input": x}, "3", (2,))
    alone = TorchEngine.open(model).gradient({"input": x}, "3", (2,))
    assert gradient is not None
    assert alone is not None
    np.testing.assert_allclose(gradient["input"], alone["input"], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match=r"expected .*\(4, 3, 8, 9\)"):
        engine.run({"input": picture(2, 3, 8, 9)}, None, lambda layer, array: None)


def test_an_exported_program_asks_for_its_second_input() -> None:
    engine = TorchEngine.open(exported(seeded(TwoInputs), picture(1, 3, 8, 9), picture(1, 1, 8, 9)))
    with pytest.raises(InputError, match="'right' is missing"):
        engine.run({"left": picture(1, 3, 8, 9)}, None, lambda layer, array: None)


def _rewritten(
    source: Path, target: Path, change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None
) -> None:
    """A copy of an archive with some members changed; stored uncompressed, as PyTorch's reader wants it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for member in old.namelist():
            new.writestr(member, change(member, old.read(member)))
        root = old.namelist()[0].split("/")[0]
        for member, content in (more or {}).items():
            new.writestr(f"{root}/{member}", content)


def _trapped(flag: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Trap(flag), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("where", ["sample inputs", "weights", "constants", "size", "target", "library"])
def test_row_23_nothing_in_an_exported_program_is_executed(where: str, tmp_path: Path) -> None:
    good, bad, flag = tmp_path / "good.pt2", tmp_path / "bad.pt2", tmp_path / "executed"
    exported(seeded(InPlaceRelu), picture(2, 3, 8, 9), path=good, batch=True)
    trap = _trapped(flag)
    evil = f"__import__('os').mkdir({str(flag)!r})"

    def change(member: str, content: bytes) -> bytes:
        if where == "sample inputs" and "/sample_inputs/" in member:
            return trap
        if where == "size" and "/models/" in member:
            text = content.decode()
            assert "Symbol('" in text
            start = text.index("Symbol('")
            stop = text.index(')"', start) + 1
            return text.replace(text[start:stop], evil).encode()
        if where == "target" and "/models/" in member:
            return content.replace(b"torch.ops.aten.relu_.default", b"torch.os.system")
        if where == "weights" and "weights_config.json" in member:
            return _pickled_payload(content)
        if where == "constants" and "constants_config.json" in member:
            return json.dumps(
                {"config": {"c": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}}}
            ).encode()
        return content

    more = {
        "weights": {"data/weights/weight_trap": trap},
        "constants": {"data/constants/opaque_obj_0": trap},
        "library": {"data/aotinductor/model/evil.so": b"\x7fELF"},
    }.get(where)
    _rewritten(good, bad, change, more)
    with pytest.raises(UntrustedModelError, match="could run code"):
        TorchEngine.open(bad)
    assert not flag.exists()


def _pickled_payload(content: bytes) -> bytes:
    config = json.loads(content)
    first = next(iter(config["config"].values()))
    first["use_pickle"], first["path_name"] = True, "weight_trap"
    return json.dumps(config).encode()


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Symbol('s77', positive=True, integer=True)", True),
        ("s0//2 + Max(1, FloorDiv(s1 - 3, 2))", True),
        ("-1 + 2*s0", True),
        ("__import__('os').system('x')", False),
        ("Symbol('x').__class__", False),
        ("Max('__import__(1)')", False),
        ("Symbol('a b')", False),
        ("[s0 for s0 in (1,)]", False),
        ("eval(chr(49))", False),
        ("(lambda: 1)()", False),
        ("1 +", False),
    ],
)
def test_only_sums_are_evaluated(text: str, fine: bool) -> None:
    assert _only_calculates(text) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("layer1.0.conv1", True),
        ('[1, {"type": "builtins.tuple", "context": "null", "children_spec": []}]', True),
        ("x): import os #", False),
        ('["x=print()"]', False),
    ],
)
def test_only_names_stand_in_generated_code(text: str, fine: bool) -> None:
    assert _only_names(text) is fine


# -- TorchScript


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("way", ["script", "trace"])
def test_row_22_torchscript_is_opened(way: str, tmp_path: Path) -> None:
    """Its interpreter's operators are seen one by one; the weights that they read say in which module they stand."""
    model = seeded(UNet)
    x = picture(1, 3, 12, 10)
    scripted = torch.jit.script(model) if way == "script" else torch.jit.trace(model, x)  # type: ignore[no-untyped-call]
    scripted.save(tmp_path / "model.pt")
    engine = TorchEngine.open(tmp_path / "model.pt")
    network, maps = captured(engine, {"x": x})
    assert [layer.name for layer in network.layers if layer.kind is Kind.CONVOLUTION] == [
        "down",
        "bottom",
        "up",
        "last",
    ]
    _, expected = captured(TorchEngine.open(model), {"x": x})
    for name in ("down", "bottom", "up", "last", "relu", "cat"):
        np.testing.assert_array_equal(maps[name], expected[name], err_msg=name)
    assert weights(engine, {"x": x}, "up")["kernel"].shape == (4, 6, 3, 3)
    assert [given.name for given in engine.inputs] == ["x"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_row_22_torchscript_is_left_as_it_was() -> None:
    scripted = torch.jit.script(
        seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9)))
    ).train()
    before = {name: value.clone() for name, value in scripted.state_dict().items()}
    network, maps = captured(TorchEngine.open(scripted), {"input": picture(1, 3, 8, 9)})
    assert all(module.training for module in scripted.modules())
    assert all(torch.equal(value, before[name]) for name, value in scripted.state_dict().items())
    np.testing.assert_array_equal(maps[network.outputs[0]], maps["1"])


# -- pickles


def test_row_23_a_pickled_model_is_refused_and_never_run(tmp_path: Path) -> None:
    path, flag = tmp_path / "model.pt", tmp_path / "executed"
    torch.save(Trap(flag), path)
    with pytest.raises(UntrustedModelError, match="trust=True"):
        TorchEngine.open(path)
    assert not flag.exists()


def test_row_23_an_old_style_pickle_is_refused_too(tmp_path: Path) -> None:
    path, flag = tmp_path / "model.pth", tmp_path / "executed"
    torch.save(Trap(flag), path, _use_new_zipfile_serialization=False)
    with pytest.raises(UntrustedModelError):
        TorchEngine.open(path)
    assert not flag.exists()


@pytest.mark.parametrize("wrapped", [False, True])
def test_row_23_a_trusted_pickle_is_opened(wrapped: bool, tmp_path: Path) -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    torch.save({"epoch": 3, "model": model} if wrapped else model, tmp_path / "model.pth")
    with pytest.raises(UntrustedModelError):
        TorchEngine.open(tmp_path / "model.pth")
    engine = TorchEngine.open(tmp_path / "model.pth", trust=True)
    assert [layer.op for layer in engine.trace({"input": (1, 3, 8, 9)}).network.layers] == ["conv2d", "relu"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_is_weights_only(wrapped: bool, tmp_path: Path) -> None:
    state = seeded(InPlaceRelu).state_dict()
    torch.save({"epoch": 3, "state_dict": state} if wrapped else OrderedDict(state), tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"weights only.*load_state_dict") as caught:
        TorchEngine.open(tmp_path / "weights.pth")
    assert not isinstance(caught.value, UntrustedModelError)
    assert "weights_only" not in str(caught.value)


# -- what isn't a model


def _text(path: Path) -> None:
    path.write_text("not a model\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncated(path: Path) -> None:
    if path.suffix == ".pt2":
        exported(seeded(InPlaceRelu), picture(1, 3, 8, 9), path=path)
    else:
        torch.save(seeded(InPlaceRelu).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-200])


def _begins_like_a_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x02garbage")


def _names_a_global(path: Path) -> None:
    path.write_bytes(b"convlens\ngarbage\n")


def _zip_of_something(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".pth"])
@pytest.mark.parametrize(
    "write", [_text, _empty, _truncated, _begins_like_a_pickle, _names_a_global, _zip_of_something]
)
def test_a_file_that_is_no_model_is_said_in_one_line(
    suffix: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    write(path)
    with pytest.raises(ModelError, match=f"model{suffix} can't be opened") as caught:
        registry.open_engine(path)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UntrustedModelError)


def test_an_object_that_is_no_model() -> None:
    with pytest.raises(ModelError, match="not a PyTorch model"):
        TorchEngine.open(3)


def test_the_registry_opens_what_torch_opens(tmp_path: Path) -> None:
    exported(seeded(InPlaceRelu), picture(1, 3, 8, 9), path=tmp_path / "a.pt2")
    program = exported(seeded(InPlaceRelu), picture(1, 3, 8, 9))
    for model in (seeded(InPlaceRelu), program, tmp_path / "a.pt2"):
        assert isinstance(registry.open_engine(model), TorchEngine)
    with pytest.raises(ConvlensError, match="No such model file"):
        registry.open_engine(tmp_path / "b.pt2")
