"""The contract: what a person types, and what comes back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import convlens
from convlens.errors import (
    ChannelError,
    ConvlensError,
    InputError,
    LayerNotFoundError,
    MemoryBudgetError,
    PictureError,
    SketchError,
)
from convlens.lens import Statistics

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

LINE = "conv 3 3x3 | relu | maxpool 5x5"


@pytest.fixture
def lens() -> convlens.Lens:
    return convlens.sketch(LINE, input_shape=(3, 40, 30), seed=0)


@pytest.fixture
def picture() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def model_of(
    nodes: list[onnx.NodeProto], inputs: Mapping[str, Sequence[int | str]], outputs: list[str]
) -> onnx.ModelProto:
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "small", made, ends)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


class TestTheContract:
    def test_names_of_the_tutorials_first_steps(self) -> None:
        lens = convlens.sketch(LINE, input_shape=(3, 1440, 1080), seed=0)
        assert lens.kernels("conv").array.shape == (3, 3, 3, 3)
        maps = lens.feature_maps(np.zeros((1440, 1080, 3), np.uint8), layers=["conv"])
        assert maps["conv"].array.shape == (3, 1438, 1078)
        layer = lens.network["conv"]
        assert (layer.name, layer.op, layer.kind, layer.inputs) == ("conv", "Conv", "convolution", ("picture",))
        assert (layer.output_shape, layer.parameters, layer.macs) == ((3, 1438, 1078), 84, 3 * 1438 * 1078 * 27)
        assert layer.receptive_field is not None
        assert layer.receptive_field.size == (3, 3)

    def test_layers_come_in_execution_order(self, lens: convlens.Lens, picture: Pixels) -> None:
        assert [layer.name for layer in lens.network.layers] == ["conv", "relu", "maxpool"]
        assert [name for name, _ in lens.feature_maps(picture).items()] == ["conv", "relu", "maxpool"]

    def test_maps_are_a_mapping(self, lens: convlens.Lens, picture: Pixels) -> None:
        maps = lens.feature_maps(picture)
        assert isinstance(maps, Mapping)
        assert len(maps) == 3
        assert "conv" in maps
        assert "conv2" not in maps

    def test_only_some_layers(self, lens: convlens.Lens, picture: Pixels) -> None:
        maps = lens.feature_maps(picture, layers=["relu"])
        assert list(maps) == ["relu"]
        with pytest.raises(LayerNotFoundError, match="were not kept"):
            maps["conv"]

    def test_the_final_output_is_the_untouched_models(self, lens: convlens.Lens, picture: Pixels) -> None:
        differences = lens.feature_maps(picture).verify()
        assert list(differences) == ["maxpool"]
        assert differences["maxpool"] <= 1e-3  # of values up to 255 * 27: float32 sums in another order

    def test_verify_sees_a_planted_difference(self, lens: convlens.Lens, picture: Pixels) -> None:
        maps = lens.feature_maps(picture)
        maps["maxpool"].array[0, 0, 0] += 5
        assert maps.verify()["maxpool"] == pytest.approx(5, abs=1e-2)

    def test_one_map_is_one_contiguous_picture(self, lens: convlens.Lens, picture: Pixels) -> None:
        for found in lens.feature_maps(picture).values():
            assert found.array.flags.c_contiguous
            assert found.array.dtype == np.float32

    def test_a_preset_changes_the_input_and_is_recorded(self, lens: convlens.Lens, picture: Pixels) -> None:
        raw = lens.feature_maps(picture)
        scaled = lens.feature_maps(picture, recipe="0..1")
        np.testing.assert_allclose(scaled["conv"].array * 255, raw["conv"].array, rtol=1e-4, atol=1e-3)
        assert raw.recipe is not None
        assert raw.recipe.leaves_values
        assert scaled.recipe is not None
        assert scaled.recipe.scale == pytest.approx(1 / 255)
        assert scaled.to_dict()["recipe"]["scale"] == pytest.approx(1 / 255)

    def test_a_float_array_is_fed_untouched_batch_axis_optional(self, lens: convlens.Lens) -> None:
        array = np.random.default_rng(1).normal(size=(1, 3, 40, 30)).astype(np.float32)
        whole, single = lens.feature_maps(array), lens.feature_maps(array[0])
        named = lens.feature_maps({"picture": array})
        kernel = lens.kernels("conv").array
        first = float((array[0, :, :3, :3].astype(np.float64) * kernel[0]).sum())
        for maps in (whole, single, named):
            assert maps["conv"].array[0, 0, 0] == pytest.approx(first, abs=1e-5)
            assert maps.recipe is None

    def test_the_model_can_be_opened_again_from_a_file(self, lens: convlens.Lens, tmp_path: Path) -> None:
        assert isinstance(lens.model, onnx.ModelProto)
        onnx.save(lens.model, tmp_path / "model.onnx")
        again = convlens.open(tmp_path / "model.onnx")
        np.testing.assert_array_equal(again.kernels().array, lens.kernels().array)


class TestShowing:
    def test_repr_and_notebook_faces(self, lens: convlens.Lens, picture: Pixels) -> None:
        maps = lens.feature_maps(picture)
        assert "84 parameters" in repr(lens)
        assert "3 of 3 layers" in repr(maps)
        assert "3 x 38 x 28" in repr(maps["conv"])
        assert "3 x 3 x 3 x 3" in repr(lens.kernels())
        assert maps["conv"]._repr_png_().startswith(b"\x89PNG")
        assert lens.kernels()._repr_png_().startswith(b"\x89PNG")
        assert lens._repr_html_().count("<tr>") == 4
        assert maps._repr_html_().count("data:image/png") == 3

    def test_hostile_names_are_inert_in_html(self, picture: Pixels) -> None:
        relu = helper.make_node("Relu", ["x"], ["y"], name="<script>alert(1)</script>")
        lens = convlens.open(model_of([relu], {"x": [1, 3, 40, 30]}, ["y"]))
        for html in (lens._repr_html_(), lens.feature_maps(picture)._repr_html_()):
            assert "<script" not in html

    def test_plot_gives_a_figure(self, lens: convlens.Lens, picture: Pixels) -> None:
        from matplotlib.figure import Figure

        maps = lens.feature_maps(picture)
        assert isinstance(maps["conv"].plot(), Figure)
        assert isinstance(maps["conv"].plot([1]), Figure)
        assert isinstance(lens.kernels("conv").plot(), Figure)

    def test_the_summary_adds_up(self, lens: convlens.Lens) -> None:
        facts = lens.summary().to_dict()
        assert facts["parameters"] == sum(layer["parameters"] for layer in facts["layers"]) == 84
        assert facts["macs"] == sum(layer["macs"] for layer in facts["layers"])
        text = str(lens.summary())
        assert "84 parameters" in text
        assert [line.split()[0] for line in text.splitlines()[4:7]] == ["conv", "relu", "maxpool"]

    def test_the_diagram_shows_every_layer(self, lens: convlens.Lens) -> None:
        diagram = lens.diagram()
        assert diagram.lstrip().startswith("<svg")
        for layer in lens.network:
            assert f">{layer.name}<" in diagram


class TestMemory:
    def test_row_38_an_estimate_before_the_run(self, lens: convlens.Lens, picture: Pixels) -> None:
        estimate = lens.estimate(picture)
        assert estimate.total == sum(found.array.nbytes for found in lens.feature_maps(picture).values())
        assert estimate.layers[0] == ("conv", 3 * 38 * 28 * 4)

    def test_row_38_a_budget_is_kept_and_the_largest_layers_named(self, lens: convlens.Lens, picture: Pixels) -> None:
        with pytest.raises(MemoryBudgetError, match=r"at most 10\.0 kB.*conv \(12\.8 kB\).*layers=\[\.\.\.\]"):
            lens.feature_maps(picture, memory="10kB")
        with pytest.raises(MemoryBudgetError) as caught:
            lens.feature_maps(picture, memory=100)
        (advised,) = re.findall(r"memory='(\w+)'", str(caught.value))
        assert len(lens.feature_maps(picture, memory=advised)) == 3
        assert len(lens.feature_maps(picture, memory="1kB", layers=["maxpool"])) == 1

    def test_an_amount_that_is_none(self, lens: convlens.Lens, picture: Pixels) -> None:
        with pytest.raises(ConvlensError, match="for example 4GB"):
            lens.feature_maps(picture, memory="lots")

    def test_walking_gives_the_same_maps_one_by_one(self, lens: convlens.Lens, picture: Pixels) -> None:
        maps = lens.feature_maps(picture)
        walked = list(lens.walk(picture))
        assert [found.name for found in walked] == list(maps)
        for found in walked:
            np.testing.assert_allclose(found.array, maps[found.name].array, rtol=1e-5, atol=1e-3)

    def test_a_walk_can_be_left_early(self, lens: convlens.Lens, picture: Pixels) -> None:
        walk = lens.walk(picture)
        assert next(walk).name == "conv"
        walk.close()
        assert len(list(lens.walk(picture, layers=["relu"]))) == 1

    def test_an_error_inside_a_walk_reaches_the_reader(self, lens: convlens.Lens) -> None:
        with pytest.raises(ConvlensError):
            list(lens.walk(np.zeros((1, 5, 40, 30), np.float32)))


class TestWrongInput:
    def test_a_typo_names_the_closest_layers(self, lens: convlens.Lens, picture: Pixels) -> None:
        for ask in (lens.kernels, lambda name: lens.feature_maps(picture, layers=[name])):
            with pytest.raises(LayerNotFoundError, match="Did you mean 'conv'"):
                ask("cnov")
        with pytest.raises(KeyError):
            lens.feature_maps(picture)["cnov"]

    def test_a_layer_without_kernels(self, lens: convlens.Lens) -> None:
        with pytest.raises(ConvlensError, match=r"relu has no kernels.*Convolutions here: conv"):
            lens.kernels("relu")

    def test_a_channel_that_is_not_there(self, lens: convlens.Lens, picture: Pixels) -> None:
        found = lens.feature_maps(picture)["conv"]
        for ask in (found.channel, found.png, lambda n: found.plot([n])):
            with pytest.raises(ChannelError, match=r"channel from 0 to 2, received 3"):
                ask(3)
        with pytest.raises(IndexError):
            found.channel(-1)

    def test_a_picture_smaller_than_the_kernel(self) -> None:
        lens = convlens.sketch("conv 1 20x20")
        with pytest.raises(ConvlensError) as caught:
            lens.feature_maps(np.zeros((10, 10, 3), np.uint8))
        assert "\n" not in str(caught.value)

    def test_two_inputs_and_one_picture(self, picture: Pixels) -> None:
        add = helper.make_node("Add", ["a", "b"], ["y"])
        lens = convlens.open(model_of([add], {"a": [1, 3, 40, 30], "b": [1, 3, 40, 30]}, ["y"]))
        with pytest.raises(InputError, match="each of a, b, received one picture"):
            lens.feature_maps(picture)
        both = lens.feature_maps({"a": np.ones((3, 40, 30), np.float32), "b": np.ones((1, 3, 40, 30), np.float32)})
        assert both[lens.network.layers[0].name].array.max() == 2
        with pytest.raises(InputError, match="b"):
            lens.feature_maps({"a": np.ones((1, 3, 40, 30), np.float32)})

    def test_row_33_no_convolution_at_all(self, picture: Pixels) -> None:
        lens = convlens.open(model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3, 40, 30]}, ["y"]))
        with pytest.raises(ConvlensError, match="no convolution"):
            lens.kernels()
        assert "no convolution" in str(lens.summary())
        np.testing.assert_array_equal(
            next(iter(lens.feature_maps(picture).values())).array, picture.transpose(2, 0, 1).astype(np.float32)
        )

    def test_not_a_model_and_not_a_picture(self, lens: convlens.Lens) -> None:
        with pytest.raises(ConvlensError, match="not a model"):
            convlens.open(42)
        with pytest.raises(PictureError):
            lens.feature_maps("nowhere.png")
        with pytest.raises(SketchError, match=r"\^\^\^\^"):
            convlens.sketch("cnov 3 3x3")
        with pytest.raises(PictureError, match="preset"):
            lens.feature_maps(np.zeros((40, 30, 3), np.uint8), recipe="imagnet")
        with pytest.raises(PictureError, match="preset"):
            convlens.open(lens.model, recipe="imagnet")
        with pytest.raises(AttributeError, match="sketches_"):
            _ = convlens.sketches_

    def test_free_sizes_are_described_at_a_size_that_is_said(self) -> None:
        lens = convlens.sketch("conv 1 3x3")
        assert lens.network["conv"].output_shape == (1, 222, 222)
        assert "taken as 224" in str(lens.summary())
        chosen = convlens.open(lens.model, input_shape=(3, 50, 60))
        assert chosen.network["conv"].output_shape == (1, 48, 58)
        assert "taken as" not in str(chosen.summary())


class TestPrediction:
    def test_scores_are_softmaxed_and_labelled(self, picture: Pixels) -> None:
        model = convlens.sketch("conv 4 3x3 | globalavgpool | flatten | dense 3", input_shape=(3, 40, 30)).model
        lens = convlens.open(model, labels=["cat", "dog", "bird"])
        maps = lens.feature_maps(picture, layers=["conv"])
        assert list(maps) == ["conv"], "the scores are looked at, and kept only when asked for"
        assert maps.prediction is not None
        scores = lens.feature_maps(picture)["dense"].array.astype(np.float64)
        powers = np.exp(scores - scores.max())
        best = int(scores.argmax())
        top, probability, label = maps.prediction.rows[0]
        assert top == best
        assert probability == pytest.approx(powers[best] / powers.sum())
        assert label == ["cat", "dog", "bird"][best]
        assert sum(p for _, p, _ in maps.prediction.rows) == pytest.approx(1)

    def test_probabilities_are_left_alone(self, picture: Pixels) -> None:
        lens = convlens.sketch(
            "conv 4 3x3 | globalavgpool | flatten | dense 3 | softmax", input_shape=(3, 40, 30), seed=3
        )
        maps = lens.feature_maps(picture)
        assert maps.prediction is not None
        assert not maps.prediction.softmax
        top, probability, _ = maps.prediction.rows[0]
        assert probability == pytest.approx(float(maps["softmax"].array[top]))

    def test_maps_are_no_prediction(self, lens: convlens.Lens, picture: Pixels) -> None:
        assert lens.feature_maps(picture).prediction is None


class TestStatistics:
    def test_row_19_nan_and_infinity_are_ignored_and_counted(self) -> None:
        array = np.array([[0, 1, np.nan], [np.inf, -np.inf, 2]], np.float32)
        found = Statistics.of(array)
        assert (found.minimum, found.maximum, found.mean) == (0, 2, 1)
        assert (found.nan, found.infinite, found.constant) == (1, 2, False)
        assert found.zeros == pytest.approx(1 / 3)

    def test_row_19_constant_and_empty(self) -> None:
        assert Statistics.of(np.full((2, 2), 7, np.float32)).constant
        assert Statistics.of(np.zeros((0, 2), np.float32)).mean is None
        assert Statistics.of(np.full(3, np.nan, np.float32)).nan == 3


class TestInputShapes:
    @pytest.mark.parametrize(
        "given", ["3,8,8", (3, -8, 8), (3, 0, 8), (3, "a"), (3, 8.5, 8), (None, 8, 8), (), 5], ids=repr
    )
    def test_what_is_no_shape_is_refused_in_one_line(self, lens: convlens.Lens, given: Any) -> None:
        with pytest.raises(InputError, match=r"received .*Type for example input_shape=\(3, 224, 224\)") as caught:
            convlens.open(lens.model, input_shape=given)
        assert caught.value.received == repr(given)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("numbers", [list, np.array], ids=["list", "NumPy"])
    def test_any_sequence_of_whole_numbers_will_do(self, numbers: Any) -> None:
        model = convlens.sketch("conv 2 3x3").model
        assert convlens.open(model, input_shape=numbers([3, 8, 9])).network["conv"].output_shape == (2, 6, 7)

    def test_sizes_may_stay_free(self) -> None:
        model = convlens.sketch("conv 2 3x3").model
        lens = convlens.open(model, input_shape=(3, None, None))
        assert lens.inputs[0].shape == (3, None, None)
        assert lens.network["conv"].output_shape == (2, 222, 222)
        assert any("free sizes" in note for note in lens.network.notes)
        assert lens.feature_maps(np.zeros((7, 9, 3), np.uint8))["conv"].shape == (2, 5, 7)
        assert convlens.open(model, input_shape=(3, None, 40)).network["conv"].output_shape == (2, 222, 38)

    def test_a_free_size_leaves_the_models_own(self, lens: convlens.Lens) -> None:
        assert convlens.open(lens.model, input_shape=(3, None, None)).inputs[0].shape == (3, 40, 30)


class TestHowALensShowsItself:
    def test_before_any_run_it_names_the_model_the_engine_and_what_it_reads(self, tmp_path: Path) -> None:
        lens = convlens.sketch("conv 2 3x3", input_shape=(3, None, 40))
        assert repr(lens) == "Lens('sketch', onnx, reads picture 3 x ? x 40)"
        assert isinstance(lens.model, onnx.ModelProto)
        onnx.save(lens.model, tmp_path / "small.onnx")
        assert repr(convlens.open(tmp_path / "small.onnx")).startswith("Lens('small.onnx', onnx, reads picture 3 x ?")

    def test_in_a_notebook_a_model_without_input_shape_says_what_to_type(self) -> None:
        torch = pytest.importorskip("torch")
        lens = convlens.open(torch.nn.Sequential(torch.nn.ReLU()))  # nothing in it tells how many channels
        shown = lens._repr_html_()
        assert "Sequential" in shown
        assert "input_shape=(3, 224, 224)" in shown

    def test_in_a_notebook_an_unbuilt_model_says_what_to_type(self) -> None:
        keras = pytest.importorskip("keras")
        lens = convlens.open(keras.Sequential([keras.layers.Conv2D(2, 3)], name="small"))
        assert repr(lens) == "Lens('small', keras, reads input of unknown shape)"
        shown = lens._repr_html_()
        assert "reads input of unknown shape" in shown
        assert "input_shape=(3, 224, 224)" in shown

    def test_a_network_is_one_line(self, lens: convlens.Lens) -> None:
        told = "Network('sketch', onnx: 3 layers, 84 parameters)"
        assert (repr(lens.network), str(lens.network)) == (told, told)

    def test_an_estimate_is_one_line(self, lens: convlens.Lens, picture: Pixels) -> None:
        # 4 bytes a value: conv and relu 3 x 38 x 28, maxpool 3 x 7 x 5
        assert repr(lens.estimate(picture)) == "Estimate(26.0 kB in 3 layers, the largest conv: 12.8 kB)"
        assert (
            repr(lens.estimate(picture, layers=["maxpool"])) == "Estimate(420 B in 1 layer, the largest maxpool: 420 B)"
        )
        assert repr(lens.estimate(picture, layers=[])) == "Estimate(0 B in 0 layers)"


class TestManyPictures:
    def test_each_is_as_it_would_be_alone(self, lens: convlens.Lens) -> None:
        random = np.random.default_rng(2)
        pictures = [random.integers(0, 256, (40, 30, 3), np.uint8) for _ in range(5)]
        for batch in (1, 2, 16):
            together = list(lens.feature_maps_of(pictures, batch=batch))
            assert len(together) == 5
            for maps, picture in zip(together, pictures, strict=True):
                alone = lens.feature_maps(picture)
                for name, found in maps.items():
                    np.testing.assert_allclose(found.array, alone[name].array, rtol=1e-5, atol=1e-3)
                assert maps["conv"].explain(0, 3, 4).agrees

    def test_a_free_batch_runs_at_once_and_sizes_may_differ(self) -> None:
        lens = convlens.sketch("conv 2 3x3")
        sizes = [(9, 9), (9, 9), (12, 8)]
        found = list(lens.feature_maps_of([np.zeros((*size, 3), np.uint8) for size in sizes]))
        assert [maps["conv"].shape for maps in found] == [(2, 7, 7), (2, 7, 7), (2, 10, 6)]

    def test_an_array_whose_first_axis_is_the_batch(self) -> None:
        lens = convlens.sketch("conv 2 3x3", input_shape=(3, 8, 8))
        array = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
        whole = list(lens.feature_maps_of(array))
        for maps, one in zip(whole, array, strict=True):
            np.testing.assert_allclose(maps["conv"].array, lens.feature_maps(one)["conv"].array, rtol=1e-5)

    def test_one_picture_at_a_time_elsewhere(self, lens: convlens.Lens) -> None:
        with pytest.raises(InputError, match="feature_maps_of"):
            lens.feature_maps(np.zeros((2, 3, 40, 30), np.float32))
        with pytest.raises(InputError, match="several pictures"):
            list(lens.feature_maps_of("cat.png"))
