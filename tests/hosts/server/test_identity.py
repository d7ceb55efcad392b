"""A name stands for one content: whatever is sent, in whatever order, fails or comes twice, no answer is another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from onnx import TensorProto, helper, numpy_helper
from tests.hosts.server.asking import Client, desk_with, noise

from convlens.hosts.desk import Desk
from convlens.hosts.server import answers
from convlens.hosts.wire.identity import content_id
from convlens.pictures import Recipe


def model_of(number: int) -> bytes:
    """A model whose kernels are all ``number``; models of different numbers are of the same length."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], name="c")],
        "same name",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [onnx.ValueInfoProto(name="c")],
        [numpy_helper.from_array(np.full((2, 3, 3, 3), number, np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def failing(number: int) -> bytes:
    """A model that can be read, and fails when it is opened."""
    model = onnx.load_from_string(model_of(number))
    del model.graph.node[:]
    return bytes(model.SerializeToString())


def send(client: Client, data: bytes, name: str = "same.onnx") -> Any:
    return client.ask("POST", "/api/models", params={"name": name}, content=data)


class Uploads(RuleBasedStateMachine):
    """Models that are sent well, broken, twice and at the same time; each answers with its own kernels, always."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(desk_with(upload_model=True))
        self.there: dict[int, str] = {}

    @initialize(number=st.integers(0, 5))
    def first(self, number: int) -> None:
        self.well(number)

    @rule(number=st.integers(0, 5))
    def well(self, number: int) -> None:
        answer = send(self.client, model_of(number))
        assert answer.status_code == 201, answer.text
        assert self.there.setdefault(number, answer.json()["id"]) == answer.json()["id"]

    @rule(number=st.integers(0, 5), kept=st.none() | st.integers(0, 100))
    def broken(self, number: int, kept: int | None) -> None:
        assert send(self.client, failing(number) if kept is None else model_of(number)[:kept]).status_code == 422

    @rule(
        numbers=st.lists(st.integers(0, 5), min_size=2, max_size=6),
        fail=st.lists(st.booleans(), min_size=6, max_size=6),
    )
    def at_the_same_time(self, numbers: list[int], fail: list[bool]) -> None:
        def one(place: int) -> tuple[int, Any]:
            data = model_of(numbers[place])
            return numbers[place], send(self.client, failing(numbers[place]) if fail[place] else data)

        with ThreadPoolExecutor(6) as threads:
            for place, (number, answer) in enumerate(threads.map(one, range(len(numbers)))):
                assert answer.status_code == (422 if fail[place] else 201), answer.text
                if not fail[place]:
                    assert self.there.setdefault(number, answer.json()["id"]) == answer.json()["id"]

    @rule(number=st.integers(0, 5))
    @precondition(lambda self: self.there)
    def run_it(self, number: int) -> None:
        """Maps of a model are those of its own kernels."""
        number = number if number in self.there else min(self.there)
        picture = self.client.add_picture(np.ones((8, 8, 3), np.uint8))["id"]
        run = self.client.run(picture, model=self.there[number])
        assert set(self.client.numbers(f"/api/runs/{run['id']}/values.npy", layer="c").ravel()) == {27.0 * number}

    @invariant()
    def every_model_answers_for_itself(self) -> None:
        assert len(set(self.there.values())) == len(self.there)
        for number, id in self.there.items():
            kernels = self.client.numbers(f"/api/models/{id}/kernels.npy", layer="c")
            assert set(kernels.ravel()) == {float(number)}
        sent = [model["id"] for model in self.client.fact("/api/session")["models"] if model["id"] != "0"]
        assert sorted(sent) == sorted(self.there.values())


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=12, stateful_step_count=6, deadline=None)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_other_parts_have_another_name(one: list[bytes], other: list[bytes]) -> None:
    assert (content_id(*one) == content_id(*other)) == (one == other)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_runs_share_a_name_where_model_picture_and_recipe_are_the_same(data: st.DataObject) -> None:
    texts = st.text(max_size=3, alphabet=st.sampled_from("a\nb{}null"))
    recipes = st.none() | st.builds(
        Recipe, scale=st.sampled_from([1.0, 0.5, 1 / 255]), resize=st.sampled_from(["crop", "stretch"])
    )
    asked = [(data.draw(texts), data.draw(texts), data.draw(recipes)) for _ in range(2)]
    from convlens.hosts.desk import _run_id

    assert (_run_id(*asked[0]) == _run_id(*asked[1])) == (asked[0] == asked[1])


def test_pictures_of_the_same_bytes_and_another_shape_are_others() -> None:
    client = Client(desk_with())
    pixels = noise(6, 8)
    ids = {
        client.add_picture(one)["id"] for one in (pixels, pixels.reshape(8, 6, 3), pixels.reshape(6, 24), pixels ^ 1)
    }
    assert len(ids) == 4
    assert client.add_picture(pixels, name="another name")["id"] in ids


def test_what_was_sent_is_counted_in_bytes_too() -> None:
    desk = Desk(upload_model=True, upload_bytes=2**20)
    client = Client(desk)
    desk.add_model("first", lambda: None, id="0")  # type: ignore[arg-type, return-value]
    answers_ = [send(client, model_of(number)).status_code for number in range(17)]
    assert answers_ == [201] * 15 + [413] * 2
    assert send(client, model_of(3)).status_code == 201  # it is there already


# --- ETags

FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


class Asked:
    """A request, as far as ``kept_fact`` looks at it."""

    def __init__(self, tag: str | None) -> None:
        self.headers = {} if tag is None else {"if-none-match": tag}


@given(FACTS, FACTS)
def test_a_fact_s_tag_changes_with_its_body(one: Any, other: Any) -> None:
    first, second = (answers.kept_fact(Asked(None), fact) for fact in (one, other))  # type: ignore[arg-type]
    assert (first.headers["etag"] == second.headers["etag"]) == (first.body == second.body)
    again = answers.kept_fact(Asked(first.headers["etag"]), other)  # type: ignore[arg-type]
    assert again.status_code == (304 if first.body == second.body else 200)


def test_a_network_that_changed_is_sent_again() -> None:
    """The facts of one model, before and after something changed them; nothing but the bytes decides."""
    desk = desk_with()
    client = Client(desk)
    path = "/api/models/0/network"
    before = client.get(path)
    assert client.ask("GET", path, headers={"If-None-Match": before.headers["etag"]}).status_code == 304
    desk.model("0").fact["name"] = "another"
    after = client.ask("GET", path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json() != before.json()


def test_a_run_that_is_made_again_is_not_taken_for_the_first() -> None:
    """A network may draw lots (dropout that stays on), so that the same run may have other numbers."""
    client = Client(desk_with())
    picture = client.add_picture(noise(20, 20))["id"]
    run = client.run(picture)
    path = f"/api/runs/{run['id']}/values.npy"
    tag = client.get(path, layer="conv").headers["etag"]
    client.desk._let_go(run["id"])
    assert client.get(path, layer="conv").status_code == 410
    assert client.run(picture)["id"] == run["id"]
    assert client.get(path, layer="conv").headers["etag"] != tag
    assert client.ask("GET", path, params={"layer": "conv"}, headers={"If-None-Match": tag}).status_code == 200


def test_a_browser_may_name_several_tags() -> None:
    client = Client(desk_with())
    tag = client.get("/api/session").headers["etag"]
    for had, status in [
        (f'"x", {tag}', 304),
        (f"W/{tag}", 304),
        ("*", 304),
        (tag.strip('"'), 200),
        (tag[:-1], 200),
        ("", 200),
    ]:
        assert client.ask("GET", "/api/session", headers={"If-None-Match": had}).status_code == status, had
