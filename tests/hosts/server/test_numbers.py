"""What the server sends is what the lens gives in this process, bit for bit."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from tests.hosts.server.asking import SKETCH, Client, desk_with, noise

from convlens import lens, pictures
from convlens.lens import FeatureMaps, tiles
from convlens.pictures import Picture

PIXELS = noise(37, 300)


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(desk_with())


@pytest.fixture(scope="module")
def run(client: Client) -> dict[str, Any]:
    return client.run(client.add_picture(PIXELS)["id"])


@pytest.fixture(scope="module")
def maps() -> FeatureMaps:
    """The same run, made here."""
    return lens.sketch(SKETCH, seed=3).feature_maps(Picture(PIXELS, "noise.png"))


def test_a_run_tells_every_layer(run: dict[str, Any], maps: FeatureMaps) -> None:
    assert run["state"] == "done"
    assert (run["done"], run["total"]) == (len(maps), len(maps))
    assert (run["rows"], run["columns"]) == PIXELS.shape[:2]
    assert run["caption"] == str(maps.recipe)
    for fact, (name, found) in zip(run["maps"], maps.items(), strict=True):
        assert fact["layer"] == name
        assert fact["shape"] == list(found.shape)
        known = found.statistics
        assert (fact["minimum"], fact["maximum"], fact["nan"]) == (known.minimum, known.maximum, known.nan)
        assert fact["mean"] == pytest.approx(known.mean, rel=1e-9)
        assert fact["deviation"] == pytest.approx(known.deviation, rel=1e-9)
        assert fact["zeros"] == pytest.approx(known.zeros)
        assert fact["strongest"] == np.abs(found.array.astype(np.float64)).mean(axis=(1, 2)).argmax()


def test_values_are_the_maps_own(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    for name, found in maps.items():
        sent = client.numbers(f"/api/runs/{run['id']}/values.npy", layer=name)
        assert sent.dtype == np.float32
        assert_array_equal(sent, found.array)
    assert_array_equal(
        client.numbers(f"/api/runs/{run['id']}/values.npy", layer="conv", channel=2), maps["conv"].array[2]
    )


def test_maps_and_tiles_are_pieces_of_them(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    array = maps["conv"].array
    base = f"/api/runs/{run['id']}"
    assert_array_equal(client.numbers(f"{base}/maps.npy", layer="conv", level=0, channels="3,1"), array[[3, 1]])
    tile = client.numbers(f"{base}/tile.npy", layer="conv", level=0, channel=1, row=0, column=1)
    assert_array_equal(tile, array[1, :, 256:])
    coarse = client.numbers(f"{base}/maps.npy", layer="conv", level=1, channels="0")
    assert coarse.dtype == np.float16
    exact = tiles.at_level(tiles.as_planes(array), 1, [0], 0)
    np.testing.assert_allclose(coarse, exact, rtol=2**-11, atol=2**-24)


def test_no_answer_is_larger_than_memory_can_hold() -> None:
    client = Client(desk_with("conv 1 3x3"))
    run = client.run(client.add_picture(noise(600, 600))["id"])
    answer = client.get(f"/api/runs/{run['id']}/maps.npy", layer="conv", channels=",".join("0" * 4000))
    assert answer.status_code == 422
    assert "tiles" in answer.json()["hint"]


def test_explanations_agree_with_the_framework(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    for name, found in maps.items():
        index = [0, *(size // 2 for size in found.shape[1:])]
        fact = client.fact(f"/api/runs/{run['id']}/explanation", layer=name, index=",".join(map(str, index)), groups=2)
        here = maps.explain(name, tuple(index))
        assert fact["agrees"] is True
        assert (fact["framework_value"], fact["total"]) == (here.framework_value, here.total)
        for group in fact["groups"]:
            assert here.window is not None
            windows = here.window.reshape(fact["groups_total"], -1)
            assert group["window"] == windows[group["channel"]].tolist()
            for value, origin in zip(group["window"], group["origins"], strict=True):
                assert value == (0 if origin is None else float(maps.value(group["source"])[tuple(origin)]))
    listed = client.fact(f"/api/runs/{run['id']}/explanation", layer="conv2", index="0,5,5", groups=2)
    sums = [group["sum"] for group in listed["groups"]]
    assert sum(sums) + listed["folded_sum"] + listed["bias"] == pytest.approx(listed["total"], rel=1e-12)
    assert listed["groups_total"] == 4


def test_a_value_walks_back_to_the_picture(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    found: dict[str, Any] = {"layer": "relu2", "index": [1, 4, 40]}
    for _ in range(20):
        index = ",".join(map(str, found["index"]))
        fact = client.fact(f"/api/runs/{run['id']}/explanation", layer=found["layer"], index=index)
        if "input" in fact:
            break
        found = fact["terms"][0]
    channel, row, column = fact["index"]
    assert fact["value"] == float(PIXELS[row, column, channel])


def test_fields_kernels_and_derivations_are_the_lens_own(
    client: Client, run: dict[str, Any], maps: FeatureMaps
) -> None:
    box = maps["conv2"].receptive_field(0, 3, channel=0)
    fact = client.fact(f"/api/runs/{run['id']}/field", layer="conv2", index="0,0,3")
    assert fact["unclipped"] == [list(side) for side in box.unclipped]
    assert fact["clipped"] == [list(side) for side in box.clipped]
    kernels = maps.lens.kernels("conv2")
    assert_array_equal(client.numbers("/api/models/0/kernels.npy", layer="conv2"), kernels.array)
    assert_array_equal(client.numbers("/api/models/0/kernels.npy", layer="conv2", first=2, count=3), kernels.array[2:5])
    told = client.fact("/api/models/0/kernels", layer="conv2")
    assert told["shape"] == list(kernels.array.shape)
    assert told["norms"] == pytest.approx([float(np.linalg.norm(one.astype(float))) for one in kernels.array])
    derived = client.fact("/api/models/0/derivation", layer="conv2")
    assert derived["text"] == str(maps.lens.derive("conv2"))


def test_an_effective_field_is_measured_once(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    query = {"layer": "conv2", "index": "0,2,2"}
    heat = maps["conv2"].effective_receptive_field(0, 2, 2).heat
    fact = client.fact(f"/api/runs/{run['id']}/effective", **query)
    assert (fact["rows"], fact["columns"]) == heat.shape
    assert_array_equal(client.numbers(f"/api/runs/{run['id']}/effective.npy", **query), heat)


def test_the_picture_is_as_the_network_reads_it(client: Client, run: dict[str, Any]) -> None:
    answer = client.get(f"/api/runs/{run['id']}/picture.png")
    assert answer.headers["content-type"] == "image/png"
    assert_array_equal(np.asarray(Image.open(BytesIO(answer.content))), PIXELS)


def test_drawings_are_saved_under_a_safe_name(client: Client, run: dict[str, Any], maps: FeatureMaps) -> None:
    answer = client.get(f"/api/runs/{run['id']}/drawing.png", layer="conv", channel=1)
    assert answer.content == maps["conv"].png(1)
    assert answer.headers["content-disposition"] == 'attachment; filename="conv-channel-1.png"'
    svg = client.get(f"/api/runs/{run['id']}/drawing.svg", layer="conv")
    assert svg.headers["content-type"].startswith("image/svg+xml")


def test_what_cannot_change_is_sent_once(client: Client, run: dict[str, Any]) -> None:
    path, query = f"/api/runs/{run['id']}/values.npy", {"layer": "conv"}
    tag = client.get(path, **query).headers["etag"]
    again = client.ask("GET", path, params=query, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.ask("GET", path, params=query, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_recipe_of_ones_own_is_used_and_told(client: Client) -> None:
    picture = client.add_picture(PIXELS)["id"]
    recipe = pictures.PRESETS["imagenet"].to_dict()
    run = client.run(picture, recipe=recipe)
    assert (run["recipe"]["mean"], run["recipe_source"]) == (recipe["mean"], "given")
    here = lens.sketch(SKETCH, seed=3).feature_maps(Picture(PIXELS, "noise.png"), recipe="imagenet")
    assert_array_equal(client.numbers(f"/api/runs/{run['id']}/values.npy", layer="conv"), here["conv"].array)
    wrong = client.ask("POST", "/api/runs", json={"model": "0", "picture": picture, "recipe": {"resiez": "crop"}})
    assert wrong.status_code == 422
    assert "Did you mean" in wrong.json()["hint"]


def test_other_ranks_have_places_too() -> None:
    client = Client(desk_with("conv 4 3x3 | globalavgpool | flatten | dense 5"))
    run = client.run(client.add_picture(noise(12, 12))["id"])
    name = run["maps"][-1]["layer"]
    assert [run["maps"][-1][side] for side in ("channels", "slices", "rows", "columns")] == [5, 1, 1, 1]
    assert client.fact(f"/api/runs/{run['id']}/explanation", layer=name, index="3")["agrees"] is True
    assert client.numbers(f"/api/runs/{run['id']}/maps.npy", layer=name, channels="0,4").shape == (2, 1, 1)
    assert client.fact(f"/api/runs/{run['id']}/field", layer=name, index="3")["clipped"] == [[0, 11], [0, 11]]
    assert run["prediction"] is None or len(run["prediction"]["top"]) == 5
