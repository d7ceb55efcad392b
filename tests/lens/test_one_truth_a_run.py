"""What a run made says of itself what it would say if nothing else had ever run: sizes, numbers, fields, explanations.

The oracle is a lens of its own for every picture, which runs once.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule, run_state_machine_as_test
from numpy.typing import NDArray
from tests.lens.free_size_models import MODELS

import convlens
from convlens.hosts import answering
from convlens.hosts.desk import Desk
from convlens.hosts.report import Exhibit, gallery
from convlens.hosts.report import facts as report_facts
from convlens.lens import FeatureMaps, Lens

ENGINES = st.sampled_from(sorted(MODELS))
PICTURES = st.tuples(st.sampled_from([9, 12, 17]), st.sampled_from([9, 14, 16]), st.sampled_from([0, 1]))
Picture = tuple[int, int, int]
Facts = dict[str, Any]


@cache
def model(engine: str) -> Any:
    return MODELS[engine]()


@cache
def pixels(picture: Picture) -> NDArray[np.uint8]:
    """Rows, columns, and dark or bright: a model may take another path for each."""
    rows, columns, bright = picture
    noise = np.random.default_rng(rows * 100 + columns).integers(0, 120, (rows, columns, 3))
    return (noise + 130 * bright).astype(np.uint8)


def facts_of(maps: FeatureMaps, layer: str) -> Facts:
    """All that is said of one layer of a run."""
    known = maps.network[layer]
    array = maps[layer].array
    index = tuple(size * 2 // 3 for size in array.shape)
    explanation = maps.explain(layer, index) if 0 not in array.shape else None
    assert explanation is None or explanation.agrees or not explanation.explained
    field = None
    if known.receptive_field is not None and len(index) == 3:
        box = maps[layer].receptive_field(channel=index[0], row=index[1], column=index[2])
        field = box.clipped, box.unclipped, box.exact
    derivation = maps.derive(layer)
    return {
        "layer": known,
        "shape": array.shape,
        "bytes": np.ascontiguousarray(array).tobytes(),
        "weights": {role: (value.shape, value.tobytes()) for role, value in maps.weights(layer).items()},
        "derivation": str(derivation),
        "explanation": None if explanation is None else str(explanation),
        "field": field,
    }


@cache
def alone(engine: str, picture: Picture) -> tuple[FeatureMaps, dict[str, Facts]]:
    """A run of a lens that runs nothing else, and what it says."""
    maps = convlens.open(model(engine)).feature_maps(pixels(picture))
    return maps, {layer: facts_of(maps, layer) for layer in maps}


class Runs(RuleBasedStateMachine):
    """Lenses, runs, files, reports and a server's desk, in any order."""

    lenses, runs, served = Bundle("lenses"), Bundle("runs"), Bundle("served")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk()
        self.count = 0

    @rule(target=lenses, engine=ENGINES)
    def open(self, engine: str) -> tuple[str, Lens]:
        return engine, convlens.open(model(engine))

    @rule(target=runs, lens=lenses, picture=PICTURES)
    def run(self, lens: tuple[str, Lens], picture: Picture) -> tuple[str, Picture, FeatureMaps]:
        return lens[0], picture, lens[1].feature_maps(pixels(picture))

    @rule(target=runs, lens=lenses, picture=PICTURES, data=st.data())
    def run_some_layers(
        self, lens: tuple[str, Lens], picture: Picture, data: st.DataObject
    ) -> tuple[str, Picture, FeatureMaps]:
        names = list(alone(lens[0], picture)[1])
        some = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        lens[1].traced(pixels(picture))
        with_path = [name for name in some if name in lens[1].traced(pixels(picture)).network] or names[:1]
        return lens[0], picture, lens[1].feature_maps(pixels(picture), layers=with_path)

    @rule(lens=lenses, pictures=st.lists(PICTURES, min_size=1, max_size=4))
    def run_several(self, lens: tuple[str, Lens], pictures: list[Picture]) -> None:
        batch = 1 if lens[0] == "torch" else 2  # the path of a batch is that of its mean
        every = list(lens[1].feature_maps_of([pixels(one) for one in pictures], batch=batch))
        for maps, picture in zip(every, pictures, strict=True):
            self.check(lens[0], picture, maps, exactly=False)

    @rule(lens=lenses)
    def look_at_the_lens(self, lens: tuple[str, Lens]) -> None:
        engine, opened = lens
        fresh = convlens.open(model(engine))
        assert opened.network == fresh.network
        assert str(opened.summary()) == str(fresh.summary())
        assert [str(one) for one in opened.derive_all()] == [str(one) for one in fresh.derive_all()]
        assert opened.kernels().array.tobytes() == fresh.kernels().array.tobytes()

    @rule(run=runs)
    def ask(self, run: tuple[str, Picture, FeatureMaps]) -> None:
        self.check(*run)

    @rule(target=runs, run=consumes(runs), suffix=st.sampled_from([".npz", ".safetensors"]))
    def save_and_load(self, run: tuple[str, Picture, FeatureMaps], suffix: str) -> tuple[str, Picture, FeatureMaps]:
        self.count += 1
        path = run[2].save(Path(self.folder.name, f"{self.count}{suffix}"))
        loaded = convlens.load(path)
        assert loaded.network == run[2].network
        return run[0], run[1], loaded.with_model(run[2].lens)

    @rule(one=runs, other=runs)
    def report(self, one: tuple[str, Picture, FeatureMaps], other: tuple[str, Picture, FeatureMaps]) -> None:
        from convlens.hosts.report import making

        models, runs = making._gathered([Exhibit(one[2]), Exhibit(other[2])], None)
        for run in runs:
            engine, picture, _ = next(known for known in (one, other) if known[2] is run.maps)
            said = report_facts.model_facts(run.model.lens, run.model.traced, run.model.fact)
            for layer, facts in alone(engine, picture)[1].items():
                if layer in run.maps:
                    assert said["derivations"][layer]["text"] == facts["derivation"]
        assert models
        assert gallery([Exhibit(one[2]), Exhibit(other[2])], budget="60MB").size > 1000

    @rule(target=served, lens=lenses, picture=PICTURES)
    def serve(self, lens: tuple[str, Lens], picture: Picture) -> tuple[str, Picture, str]:
        from convlens import pictures

        id = f"{lens[0]}-{id_of(lens[1])}"
        self.desk.add_model(id, lambda: lens[1], id=id, engine=lens[0])
        fact = self.desk.add_picture(pictures.read(pixels(picture)))
        run = self.desk.start(id, fact["id"], None, f"page {self.count}")
        run.finished()
        return lens[0], picture, run.id

    @rule(run=served)
    def ask_the_server(self, run: tuple[str, Picture, str]) -> None:
        engine, picture, id = run
        known = self.desk.run(id)
        expected = alone(engine, picture)
        network = answering.run_network(self.desk, known)
        assert [(layer["name"], layer["output_shape"], layer["macs"]) for layer in network["layers"]] == [
            (layer.name, list(layer.output_shape), layer.macs) for layer in expected[0].network
        ]
        for layer, facts in expected[1].items():
            assert answering.run_derivation(self.desk, known, layer)["text"] == facts["derivation"]
            assert known.array(layer).tobytes() == facts["bytes"]

    def check(self, engine: str, picture: Picture, maps: FeatureMaps, *, exactly: bool = True) -> None:
        expected_maps, expected = alone(engine, picture)
        assert maps.network.layers == expected_maps.network.layers
        assert maps.summary().totals() == expected_maps.summary().totals()
        for layer in maps:
            said = facts_of(maps, layer)
            if not exactly:  # a batch may be added up in another order
                for inexact in ("bytes", "explanation"):
                    del said[inexact]
            assert said == {fact: expected[layer][fact] for fact in said}, layer

    def teardown(self) -> None:
        self.desk.close()
        self.folder.cleanup()


def id_of(lens: Lens) -> str:
    return f"{id(lens):x}"


def test_what_a_run_made_is_told_by_that_run_alone(pytestconfig: Any) -> None:
    thorough = pytestconfig.getoption("thorough")
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=400 if thorough else 6,
            stateful_step_count=25 if thorough else 14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
