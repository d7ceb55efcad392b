"""``convlens summary`` in terminals of any width: nothing is broken inside a word, no number is cut."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from rich.cells import cell_len

import convlens
from convlens.hosts.cli import columns, facts, terminal
from convlens.lens import Lens
from convlens.sketches import TUTORIAL

WIDTHS = (40, 53, 60, 72, 80, 100, 120, 160, 200)


def named(names: list[str]) -> Lens:
    """A network of layers with these names, in float32, one after the other."""
    value = helper.make_tensor_value_info
    edges = ["input", *(f"edge {n}" for n in range(len(names)))]
    nodes = [helper.make_node("Relu", [edges[n]], [edges[n + 1]], name) for n, name in enumerate(names)]
    shape = [1, 12_345, 1_024, 2_048]
    graph = helper.make_graph(
        nodes, "g" * 90, [value("input", TensorProto.FLOAT, shape)], [value(edges[-1], TensorProto.FLOAT, shape)]
    )
    return convlens.open(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))


MODELS = {
    **{f"tutorial {lesson.number}": (lesson.sketch, (3, 1440, 1080)) for lesson in TUTORIAL},
    "wide": (
        "conv 2048 7x7 stride 2 | batchnorm | relu | globalavgpool | flatten | dense 1000 | softmax",
        (3, 512, 512),
    ),
    "grouped": ("conv 64 3x3 | conv 64 3x3 groups 64 | conv 128 1x1 | avgpool 2x2", (3, 3000, 4000)),
}


def shown(lens: Lens, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a person sees in a terminal of this width."""
    told = io.StringIO()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(terminal, "_facts", told)
    facts._show(lens.summary())
    return told.getvalue()


@pytest.fixture(params=[*MODELS, "long names"])
def lens(request: pytest.FixtureRequest) -> Iterator[Lens]:
    if request.param == "long names":
        paths = [f"backbone/stage{n}/block{n}/residual_branch/depthwise/activation_{n}" for n in range(4)]
        yield named([*paths, "p2o.Conv.0", "層" * 40, "x" * 300, "ชั้นแรก"])
        return
    line, shape = MODELS[request.param]
    yield convlens.sketch(line, input_shape=shape)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_broken_inside_a_word(lens: Lens, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(lens, width, monkeypatch)
    lines = told.splitlines()
    assert max(cell_len(line) for line in lines) <= width
    summary = lens.summary()
    rows = list(summary.rows())
    begins = next(n for n, line in enumerate(lines) if set(line.strip()) == {"─"}) + 1
    table = lines[begins : next(n for n, line in enumerate(lines) if n >= begins and not line.strip())]
    assert len(table) == len(rows)  # no row takes two lines
    known = {word for row in rows for cell in row.cells for word in cell.split()} | {"…"}
    for line in table:
        for word in line.split():
            assert word in known or "…" in word, word
    for number in re.findall(r"\d[\d,]*", summary.totals()):
        assert number in told


def test_what_a_narrow_terminal_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lens = convlens.sketch(MODELS["wide"][0], input_shape=MODELS["wide"][1])
    assert "--json" not in shown(lens, 200, monkeypatch)
    told = " ".join(shown(lens, 40, monkeypatch).split())
    assert "In 40 columns: no op, no parameters, no MACs, no receptive field" in told
    assert "--json has everything" in told


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=20), st.integers(0, 10**15)), min_size=1, max_size=6),
    st.integers(20, 200),
)
@example([("a", "b", 1)], 20)
def test_any_table_fits_or_keeps_its_first_column(rows: list[tuple[str, str, int]], width: int) -> None:
    texts = [[name, op, f"{count:,}"] for name, op, count in rows]
    found = columns.fit(
        [columns.Column("layer", 8), columns.Column("op", 8, 0), columns.Column("MACs", None, 1)], texts, width
    )
    assert found.shown[0] == 0
    assert sum(found.widths) + columns.GAP * (len(found.widths) - 1) + columns.EDGES <= width
    for row in texts:
        for column, letters in zip(found.shown, found.widths, strict=True):
            cut = columns.shortened(row[column], letters)
            assert cell_len(cut) <= letters
            assert cut == row[column] or (column != 2 and "…" in cut)
