"""Every parameter of every public function, handed what it can't be: a clear error of our own, none from inside."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convlens
from convlens.errors import ConvlensError, InputError

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)


WRONG: list[Any] = [
    *(None, True, -1, 10**6, 10**30, 1.5, float("nan"), float("inf"), 1j),
    *("", "x", "none\0such", "../..", "9" * 400, "\u202e", "ก" * 300, b"x"),
    *([], [3], ["x"], [None], [[]], (-1, -1), (0, 0, 0, 0, 0), {}, {"picture": 5}, {"x": PICTURE}, {3: 4}, {1, 2}),
    *(np.zeros(0, np.float32), np.array(["a"]), np.array([None]), np.float32(2), np.zeros((1, 3, 9, 8), complex)),
    *(object(), int, len, Path("no/such/place"), iter([3])),
]
BLOCKING = ("serve", "view", "animate")
OWN_CODE = ("each", "progress")  # functions of the person's own, whose errors are theirs
GIVEN: dict[str, Any] = {
    "picture": PICTURE,
    "pictures": [PICTURE],
    "layer": "conv",
    "layers": ["conv"],
    "name": "conv",
    "index": (0, 1, 1),
    "place": (1, 1),
    "channel": 0,
    "number": 0,
    "row": 1,
    "column": 1,
    "path": "out.npz",
    "feed": {"picture": np.zeros((1, 3, 9, 8), np.float32)},
    "value": np.zeros((1, 3, 9, 8), np.float32),
    "text": "conv 1 3x3",
    "data": {},
    "batch": 1,
}


def targets() -> dict[str, tuple[Callable[..., Any], Any]]:
    """Every public function with the object that it is called on."""
    model = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 9, 8), seed=0)
    maps = model.feature_maps(PICTURE)
    owners: dict[str, Any] = {
        "Lens": model,
        "FeatureMaps": maps,
        "FeatureMap": maps["conv"],
        "Kernels": model.kernels("conv"),
        "Recipe": convlens.Recipe(),
    }
    found: dict[str, tuple[Callable[..., Any], Any]] = {}
    for name in convlens.__all__:
        public = getattr(convlens, name)
        if inspect.isfunction(public):
            found[name] = public, model
        for method in vars(public) if inspect.isclass(public) else ():
            if not method.startswith("_") and method not in BLOCKING and name in owners:
                bound = getattr(owners[name], method)
                if inspect.ismethod(bound):
                    found[f"{name}.{method}"] = bound, model
    found["Recipe"] = convlens.Recipe, model
    found["FeatureMaps.__getitem__"] = maps.__getitem__, model
    return found


TARGETS = targets()


def _parameters(name: str) -> list[str]:
    return [one for one in inspect.signature(TARGETS[name][0]).parameters if one not in OWN_CODE]


CASES = [(name, parameter) for name in TARGETS for parameter in _parameters(name)]


def test_all_that_is_public_is_called() -> None:
    assert {name.split(".")[0] for name in TARGETS} == {
        *("FeatureMap", "FeatureMaps", "Kernels", "Lens", "Recipe", "load", "open", "sketch")
    }
    assert len(CASES) > 100


@pytest.mark.parametrize(("name", "parameter"), CASES, ids=[".".join(case) for case in CASES])
def test_a_wrong_argument_is_one_clear_line(
    name: str, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, lens = TARGETS[name]
    for wrong in WRONG:
        arguments = {
            one: lens.model if one == "model" else GIVEN[one]
            for one, told in inspect.signature(function).parameters.items()
            if told.default is told.empty and one in (*GIVEN, "model")
        }
        arguments[parameter] = iter([3]) if isinstance(wrong, type(iter([]))) else wrong
        told = ""
        try:
            made = function(**arguments)
            if inspect.isgenerator(made):
                next(made, None)
                made.close()
            elif isinstance(made, convlens.lens.Walk):
                with made:
                    next(made, None)
        except ConvlensError as error:
            told = str(error)
        except Exception as error:
            raise AssertionError(f"{name}({parameter}={repr(wrong)[:60]}): {type(error).__name__}: {error}") from error
        assert len(told) < 2500
        assert "\n" not in told or name == "sketch"
    assert not any(tmp_path.iterdir()) or "save" in name or "report" in name


PLACES = [(0, -1, 0), (0, 0, -1), (-1, 0, 0), (0, 7, 0), (0, 0, 6), (2, 0, 0), (0, 0), (0, 0, 0, 0), ()]


@pytest.mark.parametrize("index", PLACES)
def test_places_are_counted_from_the_beginning_everywhere(index: tuple[int, ...]) -> None:
    maps: convlens.FeatureMaps = TARGETS["FeatureMaps.explain"][0].__self__  # type: ignore[attr-defined]
    lens, one = maps.lens, maps["conv"]
    asked: list[Callable[[], object]] = [
        lambda: maps.explain("conv", index),
        lambda: lens.explain(PICTURE, "conv", index[0], index[1:]),
        lambda: one.explain(*index),
        lambda: one.effective_receptive_field(*index),
        lambda: one.receptive_field(*index[1:], channel=index[0]),
    ]
    for ask in asked if 0 < len(index) < 4 else asked[:1]:
        with pytest.raises(ConvlensError):
            ask()


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", None, True])
def test_a_batch_holds_something(batch: Any) -> None:
    lens: convlens.Lens = TARGETS["Lens.walk"][0].__self__  # type: ignore[attr-defined]
    with pytest.raises(InputError):
        next(lens.feature_maps_of([PICTURE], batch=batch))


def test_a_scalar_input_is_fed() -> None:
    import onnx
    from onnx import TensorProto, helper

    given = [helper.make_tensor_value_info("x", 1, [1, 2, 4, 4]), helper.make_tensor_value_info("s", 1, [])]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "s"], ["y"])], "g", given, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    assert TensorProto.FLOAT == 1
    x = np.random.default_rng(0).random((1, 2, 4, 4), np.float32)
    for scalar in (np.float32(3), np.array(3, np.float32), 3.0):
        maps = convlens.open(model).feature_maps({"x": x, "s": scalar})
        (name,) = maps
        assert np.array_equal(maps[name].array, (x * np.float32(3))[0])
