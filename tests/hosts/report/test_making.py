"""What a report holds: the framework's own bits, kept to a budget, inert whatever things are called."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.engines import torch_models
from tests.hosts.report.reading import Opened

import convlens
from convlens import sketches
from convlens.errors import ConvlensError
from convlens.hosts.demo import the_cat
from convlens.hosts.report import Exhibit, coding, gallery, report_html, save
from convlens.hosts.report.making import make
from convlens.hosts.running import Run
from convlens.hosts.wire.facts import lesson_fact
from convlens.lens import FeatureMaps

MB = 1_000_000
PICTURE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)


def check(maps: FeatureMaps, html: str) -> dict[str, dict[str, Any]]:
    """Every layer that a report calls exact comes out bit for bit; the others as far off as is said."""
    opened = Opened(html)
    plans = {}
    for name, (plan, values) in opened.maps(0, maps.network).items():
        true = maps[name].array
        plans[name] = plan
        if plan["exact"]:
            assert np.array_equal(values + np.float32(0), true + np.float32(0), equal_nan=True), name
            assert plan["crc"] == coding.checksum(true), name
            assert plan["says"] is None
        else:
            assert plan["says"]
            assert plan["crc"] is None
        if plan["how"] == "worked":
            assert float(np.abs(values.astype(np.float64) - true).max()) <= plan["furthest"] * (1 + 1e-12), name
    assert list(plans) == list(maps)
    return plans


def the_tutorial(number: int) -> FeatureMaps:
    lesson = sketches.TUTORIAL[number - 1]
    return convlens.sketch(lesson.sketch, input_shape=(3, 1440, 1080), seed=lesson.seed).feature_maps(the_cat())


@pytest.mark.parametrize("number", [1, 4, 8])
def test_a_tutorial_model_takes_three_megabytes_and_keeps_every_bit(number: int) -> None:
    maps = the_tutorial(number)
    made = make([Exhibit(maps)])
    assert made.size <= 3 * MB
    assert made.reductions == ()
    assert all(plan["exact"] for plan in check(maps, made.html).values())


def test_all_eight_take_ten_megabytes_together() -> None:
    exhibits = [Exhibit(the_tutorial(lesson.number), lesson_fact(lesson)) for lesson in sketches.TUTORIAL]
    made = gallery(exhibits, title="The tutorial")
    assert made.size <= 10 * MB
    opened = Opened(made.html)
    assert [model["name"] for model in opened.contents["session"]["models"]] == [
        lesson.sketch for lesson in sketches.TUTORIAL
    ]
    assert len(opened.runs) == 8
    for number, exhibit in enumerate(exhibits):
        for name, (plan, values) in opened.maps(number, exhibit.maps.network).items():
            assert plan["exact"]
            assert coding.checksum(values) == coding.checksum(exhibit.maps[name].array)


MODELS: dict[str, Callable[[], FeatureMaps]] = {
    "onnx": lambda: convlens.sketch(
        "conv 8 3x3 same | batchnorm | relu | maxpool 2x2 | conv 16 3 | sigmoid | flatten | dense 5 | softmax",
        input_shape=(3, 64, 48),
    ).feature_maps(PICTURE),
    "torch": lambda: convlens.open(
        torch_models.seeded(torch_models.ResNet).eval(), input_shape=(3, 64, 64)
    ).feature_maps(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))),
    "unet": lambda: convlens.open(torch_models.seeded(torch_models.UNet).eval(), input_shape=(3, 64, 64)).feature_maps(
        torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_comes_out_bit_for_bit(name: str) -> None:
    maps = MODELS[name]()
    plans = check(maps, make([Exhibit(maps)], budget="200MB").html)
    assert all(plan["exact"] for plan in plans.values())


def test_keras_layers_come_out_bit_for_bit() -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64, 48, 3)),
            keras.layers.Conv2D(12, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    maps = convlens.open(model).feature_maps(PICTURE)
    assert all(plan["exact"] for plan in check(maps, report_html(maps)).values())


@pytest.mark.parametrize("budget", [4.0, 3.0, 2.5])
def test_a_budget_is_kept_and_what_it_costs_is_said(budget: float) -> None:
    maps = MODELS["torch"]()
    made = make([Exhibit(maps)], budget=int(budget * MB + 500_000))
    assert made.size <= budget * MB + 500_000
    plans = check(maps, made.html)
    reduced = [name for name, plan in plans.items() if not plan["exact"]]
    weights = Opened(made.html).models["model"]["weights"]
    rough = [name for name, roles in weights.items() if not roles or not all(fact["exact"] for fact in roles.values())]
    assert made.reductions
    assert rough or reduced
    first = next(iter(plans))
    assert budget < 3 or plans[first]["exact"], "the first layer is among the last to be given up"
    said = " ".join(made.reductions)
    assert any(words in said for words in ("float16", "8 bits", "left out"))
    assert Opened(made.html).models["model"]["left_out"] == [name for name in weights if not weights[name]]
    for name in rough[:3]:
        assert name in said or "layers (" in said


def test_more_room_never_gives_less() -> None:
    maps = MODELS["torch"]()
    counts = []
    for budget in (3 * MB, 8 * MB, 20 * MB, 80 * MB):
        plans = Opened(make([Exhibit(maps)], budget=budget).html).runs[0]["plans"].values()
        counts.append(sum(plan["exact"] for plan in plans))
    assert counts == sorted(counts)
    assert counts[-1] == len(maps)


def test_a_budget_that_nothing_fits_in_says_what_would_do() -> None:
    with pytest.raises(ConvlensError, match="can't be made that small") as caught:
        make([Exhibit(MODELS["torch"]())], budget="600KB")
    found = re.search(r"about (\S+ MB) for these layers", caught.value.expected)
    assert found is not None
    would_do = make([Exhibit(MODELS["torch"]())], budget=found[1].replace(" ", ""))
    with pytest.raises(ConvlensError, match="can't be made that small"):
        make([Exhibit(MODELS["torch"]())], budget=would_do.size * 7 // 10)


def test_a_report_of_some_layers_carries_their_weights_alone() -> None:
    lens = convlens.sketch("conv 4 3x3 | relu | conv 500 5x5 | relu", input_shape=(3, 64, 48))
    opened = Opened(make([Exhibit(lens.feature_maps(PICTURE, layers=["conv"]))]).html)
    model = opened.models["model"]
    assert list(model["weights"]) == ["conv"]
    assert model["left_out"] == ["conv2"]
    assert opened.contents["reductions"] == []


HOSTILE = [
    '<script>document.title="owned"</script>',
    "</script><img src=x onerror=\"document.title='owned'\">",
    "\"quotes\" and 'more' & <b>bold</b>",
    "🐈 кошка \u202eevil\u202c \u2028 \u2029",
    "<!-- ]]> {{ x }} ${x} \\",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_data(name: str) -> None:
    import onnx

    model = sketches.build("conv 2 3x3 | relu", input_shape=(3, 16, 16))
    model.graph.name = name
    for node in model.graph.node:
        node.name = name + node.name
    onnx.checker.check_model(model)
    maps = convlens.open(model).feature_maps(PICTURE[:16, :16])
    html = report_html(maps)
    elements = re.findall(r"<(?:script|img|b|iframe)\b[^>]*>", html)
    allowed = ('<script type="application/json"', '<script type="text/plain"', "<script>")
    outside = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert all(element.startswith(allowed) for element in re.findall(r"<(?:script|img|b|iframe)\b[^>]*>", outside))
    assert elements
    assert html.count("</script>") == len(re.findall(r"<script[ >]", outside)) + 1
    assert Opened(html).contents["session"]["models"][0]["name"] == name


def test_no_script_runs_but_the_viewer() -> None:
    html = report_html(the_small())
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert script is not None
    assert policy is not None
    digest = b64encode(sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")


def the_small() -> FeatureMaps:
    return convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 16, 16)).feature_maps(PICTURE[:16, :16])


def test_a_layer_that_takes_long_is_shown_and_coloured_before_it_is_worked_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convlens.hosts.report.making._SOON", 10_000_000)
    maps = convlens.sketch("conv 4 3x3 | relu", input_shape=(3, 600, 500)).feature_maps(the_cat())
    plan = Opened(make([Exhibit(maps)]).html).runs[0]["plans"]["conv"]
    assert plan["overview"]["level"] == 1
    assert plan["overview"]["channels"] == Run.made("run", "model", "picture", maps).channels("conv")


def test_a_lens_alone_is_a_report_without_maps() -> None:
    opened = Opened(report_html(convlens.sketch("conv 2 3x3", input_shape=(3, 16, 16))))
    assert opened.runs == []
    assert opened.contents["session"]["picture"] is None
    assert list(opened.models["model"]["kernels"]) == ["conv"]


def test_several_pictures_of_one_model_share_it() -> None:
    lens = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 16, 16))
    maps = [lens.feature_maps(PICTURE[at : at + 16, :16]) for at in (0, 16, 32)]
    opened = Opened(gallery([Exhibit(one) for one in maps]).html)
    assert len(opened.models) == 1
    assert len({run["picture"] for run in opened.contents["runs"]}) == 3


def test_saving_loses_nobody_s_work(tmp_path: Path) -> None:
    maps = the_small()
    path = maps.report(tmp_path / "a.html")
    assert path.read_text("utf-8").startswith("<!doctype html>")
    save(maps, path)  # ours: written anew
    own = tmp_path / "own.html"
    own.write_text("mine")
    with pytest.raises(ConvlensError, match="there already"):
        maps.report(own)
    assert own.read_text() == "mine"
