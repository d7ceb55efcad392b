"""The diagram: every layer and edge drawn, nothing crossing a box, hostile names harmless, large networks at once."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.draw.diagram import diagram_svg, facts
from convlens.draw.layered import Box, Layout, lay_out
from convlens.network import Convolution, Dense, Input, Kind, Layer, Network, Pooling

SVG = "{http://www.w3.org/2000/svg}"


def layer(name: str, inputs: tuple[str, ...], scope: tuple[str, ...] = ()) -> Layer:
    return Layer(name, "Conv", Kind.CONVOLUTION, inputs, (8, 4, 4), scope=scope)


def network(layers: list[Layer], outputs: tuple[str, ...] | None = None) -> Network:
    return Network(
        "net", "onnx", (Input("image", (3, None, 4)),), tuple(layers), outputs or (layers[-1].name,), parameters=0
    )


def texts(root: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 25)))]
    edges = []
    for position, name in enumerate(names[1:], start=1):
        sources = draw(st.sets(st.integers(0, position - 1), max_size=3))
        edges += [(names[source], name) for source in sources]
    return names, edges


@given(graphs())
@settings(deadline=None, max_examples=80)
def test_every_edge_runs_down_and_through_no_box(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    names, edges = graph
    layout = lay_out({name: Box(100, 40) for name in names}, edges)
    assert all(layout.row_of[source] < layout.row_of[target] for source, target in edges)
    assert reached(layout) == set(edges)
    for row in set(layout.row_of.values()):
        places = sorted(layout.x[name] for name in names if layout.row_of[name] == row)
        assert all(after - before >= 100 for before, after in pairwise(places))
    for source, steps in layout.routes.items():
        for x, row, _, _ in steps:
            if row != layout.row_of[source]:  # it passes this row: no box of the row may be in its way
                assert all(abs(x - layout.x[name]) >= 50 for name in names if layout.row_of[name] == row)


def reached(layout: Layout) -> set[tuple[str, str]]:
    """The edges that the routes draw: which targets can be followed from each source, step by step."""
    found = set()
    for source, steps in layout.routes.items():
        at = {(layout.x[source], layout.row_of[source])}
        for x, row, to, target in sorted(steps, key=lambda step: step[1]):
            assert (x, row) in at
            at.add((to, row + 1))
            if target is not None:
                assert layout.x[target] == to
                assert layout.row_of[target] == row + 1
                found.add((source, target))
    return found


def test_a_chain_and_its_residual_run_straight() -> None:
    names = ["a", "b", "c", "add", "d"]
    edges = [("a", "b"), ("b", "c"), ("c", "add"), ("a", "add"), ("add", "d")]
    layout = lay_out({name: Box(100, 40) for name in names}, edges)
    assert max(layout.x.values()) - min(layout.x.values()) < 1
    skips = [step for step in layout.routes["a"] if step[1] > 0]
    assert len({x for x, *_ in skips}) == 1


def test_a_hundred_residual_blocks_do_not_drift() -> None:
    names, edges = ["s"], []
    for block in range(100):
        a, b = f"a{block}", f"b{block}"
        edges += [(names[-1], a), (a, b), (names[-1], b)]
        names += [a, b]
    layout = lay_out({name: Box(100, 40) for name in names}, edges)
    assert max(layout.x.values()) - min(layout.x.values()) < 20


def test_every_layer_shape_and_setting_is_written() -> None:
    conv = Layer(
        "stem",
        "Conv2d",
        Kind.CONVOLUTION,
        ("image",),
        (32, 112, 112),
        Convolution(3, 32, (3, 3), (2, 2), (1, 1), ((0, 1), (0, 1))),
        parameters=896,
    )
    root = ET.fromstring(diagram_svg(network([conv])))
    assert set(texts(root)) >= {"input", "image", "Conv2d", "stem", "3 × ? × 4", "32 × 112 × 112"}
    assert "3 × 3 · stride 2 · pad 0 before 1 after · 896 parameters" in " · ".join(texts(root))
    assert len(list(root.iter(f"{SVG}circle"))) == 1


def test_facts_of_several_kinds() -> None:
    dense = Layer("fc", "Gemm", Kind.DENSE, (), (10,), Dense(512, 10), parameters=5130, shares="fc0")
    assert facts(dense) == ["512 → 10", "5,130 parameters", "weights of fc0"]
    pool = Layer("p", "MaxPool", Kind.POOLING, (), (1, 2, 2), Pooling("max", (5, 5), (5, 5), (1, 1), ((0, 0), (0, 0))))
    assert facts(pool) == ["5 × 5", "stride 5"]
    whole = Layer(
        "g",
        "GAP",
        Kind.POOLING,
        (),
        (8, 1, 1),
        Pooling("average", (7, 7), (7, 7), (1, 1), ((0, 0), (0, 0)), whole=True),
    )
    assert facts(whole) == []


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a&b\"c'd", "🙂/مرحبا", "x" * 500, "a\x00b\x1b[31m\n", "]]>", "\0output\0y"]
)
def test_hostile_names_are_only_text(name: str) -> None:
    hostile = Layer(name, name, Kind.OTHER, ("image",), (1,), scope=(name, name))
    second = Layer(f"{name}2", name, Kind.OTHER, (name,), (1,), scope=(name, name))
    given_network = Network(name, name, (Input("image", (1,)),), (hostile, second), (second.name,), 0)
    root = ET.fromstring(diagram_svg(given_network))
    assert not list(root.iter(f"{SVG}script"))
    tooltips = ["".join(title.itertext()) for title in root.iter(f"{SVG}title")]
    assert any(" ".join(name.replace("\x00", " ").replace("\x1b", " ").split()) in tip for tip in tooltips)


def test_a_long_name_is_whole_in_the_tooltip() -> None:
    name = "features." + "denselayer." * 20 + "conv"
    root = ET.fromstring(diagram_svg(network([layer(name, ("image",))])))
    assert name not in texts(root)
    assert any("…" in text for text in texts(root))
    assert any(name in "".join(title.itertext()) for title in root.iter(f"{SVG}title"))


def test_scopes_that_lie_together_have_a_frame() -> None:
    layers = [
        layer("a", ("image",), ("block1",)),
        layer("b", ("a",), ("block1",)),
        layer("c", ("b",), ("block2",)),
    ]
    root = ET.fromstring(diagram_svg(network(layers)))
    frames = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "scope"]
    assert len(frames) == 1
    assert "block1" in texts(root)


def test_row_4_residual_adds_have_both_edges() -> None:
    layers = [layer("a", ("image",)), layer("b", ("a",)), Layer("add", "add", Kind.ADD, ("b", "a"), (8, 4, 4))]
    root = ET.fromstring(diagram_svg(network(layers)))
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == 5  # image-a, a-b, b-add, a-add, add-output


def test_row_17_several_outputs_are_marked() -> None:
    layers = [layer("a", ("image",)), layer("b", ("image",))]
    root = ET.fromstring(diagram_svg(network(layers, ("a", "b"))))
    assert len(list(root.iter(f"{SVG}circle"))) == 2


def test_an_unused_input_and_a_network_without_layers_are_drawn() -> None:
    lone = Network("n", "onnx", (Input("a", (1,)), Input("b", (2,))), (), (), 0)
    assert "input" in texts(ET.fromstring(diagram_svg(lone)))


def test_light_and_dark_are_both_in_the_file() -> None:
    svg = diagram_svg(network([layer("a", ("image",))]))
    assert "prefers-color-scheme:dark" in svg
    style = re.search(r"<style>(.*?)</style>", svg, re.S)
    assert style
    used = {name for found in re.findall(r'class="([\w-]+)"', svg) for name in [found]}
    assert all(f".{name}" in style.group(1) for name in used)


def test_a_thousand_layers_take_about_a_second_at_most() -> None:
    """0.15 s on two quiet cores; the bound leaves room for a busy machine, and would catch a quadratic layout."""
    layers = [layer("n0", ("image",))]
    for number in range(1, 1000):
        skip = (f"n{number - 7}",) if number % 3 == 0 and number > 7 else ()
        layers.append(layer(f"n{number}", (f"n{number - 1}", *skip), (f"stage{number // 100}",)))
    start = time.perf_counter()
    svg = diagram_svg(network(layers))
    assert time.perf_counter() - start < 5
    assert svg.count('class="box"') == 1001
