"""A report is made: what there is is gathered, fitted to the budget, and written as one page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convlens import __version__
from convlens.engines.base import Array
from convlens.errors import ConvlensError
from convlens.hosts.report import coding, facts, page
from convlens.hosts.report.coding import Blobs, Coded
from convlens.hosts.report.planning import Plan, Plans, Way, Weight, at_level, ways
from convlens.hosts.report.telling import reductions, says
from convlens.hosts.running import Run
from convlens.hosts.wire import facts as wire
from convlens.hosts.wire.pictures import as_read, as_webp, fed_fact, picture_fact
from convlens.hosts.wire.schema import LimitsFact, ModelFact, PictureFact, RunFact, SessionFact
from convlens.lens import memory
from convlens.lens.tiles import as_planes, levels_of

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps, Lens
    from convlens.lens.traced import TracedNetwork
    from convlens.network import Network

BUDGET = 12_000_000
FORMAT, VERSION = "convlens-report", 1
_THUMBNAIL = 640  # pixels of a picture's longer side, as it was given
_SOON = 300_000_000  # multiply-accumulates that a page does before anyone wonders
_OVERVIEW = 400  # values of an overview's longer side
_LARGE = 300_000  # values of a layer that deserves an overview
_LEAST_SAID = 24_000  # characters of a page around its data, and of plans


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One run for a report. As a step of a walk its model has words of its own: ``fact``."""

    maps: FeatureMaps
    fact: ModelFact | None = None
    credit: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: ``html``, and in words what had to be reduced."""

    html: str
    reductions: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.html.encode())


@dataclass(slots=True)
class _Model:
    """``told``: what the file says of it beside its weights; ``unkept``: layers whose weights nothing here needs."""

    fact: ModelFact
    lens: Lens
    traced: TracedNetwork
    weights: dict[str, Weight]
    unkept: frozenset[str] = frozenset()
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        return self.traced.network


@dataclass(slots=True)
class _Run:
    """``told``: what the file says of it beside its plans; ``overviews`` of large layers, once they were needed."""

    model: _Model
    maps: FeatureMaps
    picture: PictureFact
    made: Run
    fact: RunFact
    pixels: NDArray[np.uint8] | None
    png: bytes | None
    webp: bytes | None
    ways: dict[str, Way] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    overviews: dict[str, tuple[Coded, int] | None] = field(default_factory=dict)


def make(
    exhibits: Sequence[Exhibit], lens: Lens | None = None, *, budget: str | int | None = None, title: str | None = None
) -> Report:
    """One page of these runs; of an opened model alone, without maps, where there is none.

    Raises:
        ConvlensError: the budget is too small, even for the smallest form of everything.
    """
    most = BUDGET if budget is None else memory.parse(budget, option="budget")
    models, runs = _gathered(exhibits, lens)
    for run in runs:
        run.ways = {way.layer.name: way for way in ways(run.maps, run.model.weights)}
    plans = Plans(
        {model.fact["id"]: model.weights for model in models}, [(run.model.fact["id"], run.ways) for run in runs]
    )
    viewer = page.viewer()
    name = title or " · ".join(dict.fromkeys(model.fact["name"] for model in models))[:120]
    beside = Blobs()  # all that stands in the file whatever the budget
    said = _tell(models, runs, beside)
    fixed = len(viewer.script.encode()) + len(viewer.style.encode()) + page.size_of(beside.pieces) + said
    room = (most - fixed) * 3 // 4
    while True:
        if not plans.fit(max(room, 0)):
            raise ConvlensError(
                "The report can't be made that small",
                expected=f"about {memory.in_words((fixed + plans.least * 4 // 3) * 21 // 20)} for these layers",
                received=memory.in_words(most),
                hint="Take fewer layers (layers=[...], --layers), or a larger budget.",
            )
        blobs = beside.copy()
        contents = _contents(models, runs, plans, blobs)
        html = page.page(name, contents, blobs.pieces)
        over = len(html.encode()) - most
        if over <= 0:
            return Report(html, tuple(contents["reductions"]))
        room -= over * 3 // 4 + 1000


def _gathered(exhibits: Sequence[Exhibit], lens: Lens | None) -> tuple[list[_Model], list[_Run]]:
    """The models, each once, and the runs."""
    models: list[_Model] = []
    runs: list[_Run] = []

    def known(opened: Lens, traced: TracedNetwork, fact: ModelFact | None) -> _Model:
        network = traced.network
        for model in models:
            if model.lens is opened and model.network == network:
                return model
        number = len(models) + 1
        told = fact or ModelFact(
            id="model" if number == 1 else f"model-{number}",
            name=network.name,
            engine=network.engine,
            title=None,
            says=None,
            step=None,
        )
        weights = {name: Weight(name, roles) for name, roles in facts.weights_of(traced).items()}
        models.append(_Model(ModelFact(**{**told, "engine": network.engine}), opened, traced, weights))
        return models[-1]

    for exhibit in exhibits:
        maps = exhibit.maps
        model = known(maps.lens, maps.traced, exhibit.fact)
        if maps.picture is not None:
            picture = picture_fact(maps.picture, sample=True, credit=exhibit.credit)
        else:
            fed = maps.value(maps.network.inputs[0].name)
            picture = fed_fact(maps, sha256(fed.tobytes()).hexdigest()[:16])
        if any(run.model is model and run.picture["id"] == picture["id"] for run in runs):
            continue
        made = Run.made(f"run-{len(runs) + 1}", model.fact["id"], picture["id"], maps)
        runs.append(_Run(model, maps, picture, made, made.fact(), *_pictures(maps, runs)))
    if lens is not None:
        known(lens, lens.stated, None)
    for model in models:
        kept = {layer for run in runs if run.model is model for layer in run.maps}
        if kept:
            model.unkept = frozenset(model.weights.keys() - kept)
            model.weights = {name: weight for name, weight in model.weights.items() if name in kept}
    _tell_apart(models, runs)
    return models, runs


def _tell_apart(models: list[_Model], runs: list[_Run]) -> None:
    """A model that reads pictures of any size is another network for each size: the picture tells which."""
    for run in runs:
        alike = sum(model.lens is run.model.lens for model in models)
        if alike > 1 and run.model.fact["name"] == run.model.network.name:
            run.model.fact["name"] = f"{run.model.network.name} · {run.picture['name']}"


def _pictures(maps: FeatureMaps, runs: list[_Run]) -> tuple[NDArray[np.uint8] | None, bytes | None, bytes | None]:
    """The picture as the network reads it, the same as a PNG, and as it was given; each made once."""
    pixels = as_read(maps)
    if pixels is not None and pixels.shape[2] == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    png = None
    if pixels is not None:
        same = (run.png for run in runs if run.pixels is not None and np.array_equal(run.pixels, pixels))
        png = next(same, None) or coding.as_png(pixels)
    webp = next((run.webp for run in runs if run.maps.picture is maps.picture), None)
    if webp is None and maps.picture is not None:
        webp = as_webp(maps.picture, _THUMBNAIL)
    return pixels, png, webp


def _tell(models: list[_Model], runs: list[_Run], blobs: Blobs) -> int:
    """What doesn't depend on the budget, said once; about how many characters its JSON will take in the file."""
    for run in runs:
        png = None if run.png is None else blobs.add(run.png)
        run.told = {
            "run": run.fact,
            "picture": png,
            "inputs": facts.input_facts(run.maps, run.pixels, png, blobs),
            "seen": facts.seen_facts(run.maps, blobs),
        }
        if run.webp is not None:
            blobs.add(run.webp)
    for model in models:
        model.told = facts.model_facts(model.lens, model.traced, model.fact)
    told = [*(model.told for model in models), *(run.told for run in runs)]
    return _LEAST_SAID + sum(len(_packed(one)) * 4 // 3 for one in told)


def _packed(told: dict[str, Any]) -> bytes:
    return coding.deflated(json.dumps(told, allow_nan=False, separators=(",", ":")).encode(), small=True)


def _contents(models: list[_Model], runs: list[_Run], plans: Plans, blobs: Blobs) -> dict[str, Any]:
    """``Contents``, with the weights and the maps in the forms that they have now."""
    originals: dict[str, int] = {}
    pictures: dict[str, PictureFact] = {}
    listed = []
    for number, run in enumerate(runs):
        blob = blobs.add(_packed({**run.told, "plans": _plan_facts(run, plans.plan(number), blobs)}))
        listed.append({"id": run.fact["id"], "model": run.fact["model"], "picture": run.fact["picture"], "blob": blob})
        pictures.setdefault(run.picture["id"], run.picture)
        if run.webp is not None:
            originals[run.picture["id"]] = blobs.add(run.webp)
    told_models = {}
    for model in models:
        weights = {
            layer: {role: blobs.array(coded) for role, coded in weight.coded.items()}
            for layer, weight in model.weights.items()
        }
        left_out = facts.without_weights(model.network, model.weights, model.unkept)
        told_models[model.fact["id"]] = blobs.add(_packed({**model.told, "weights": weights, "left_out": left_out}))
    given_up = reductions(plans, {model.fact["id"]: model.fact["name"] for model in models})
    session = SessionFact(
        version=__version__,
        models=[model.fact for model in models],
        pictures=list(pictures.values()),
        presets={},
        limits=LimitsFact(upload_bytes=0, upload_pixels=0, upload_model=False),
        model=models[0].fact["id"],
        picture=runs[0].picture["id"] if runs else None,
        reductions=given_up,
    )
    return {
        "format": FORMAT,
        "version": VERSION,
        "session": session,
        "models": told_models,
        "runs": listed,
        "originals": originals,
        "reductions": given_up,
    }


def _plan_facts(run: _Run, plans: Mapping[str, Plan], blobs: Blobs) -> dict[str, Any]:
    work = _work(run, plans)
    told = {}
    for name, plan in plans.items():
        way = run.ways[name]
        overview = None
        if plan.how != "values" and work[name] > _SOON and way.values.size > _LARGE:
            if name not in run.overviews:
                run.overviews[name] = _overview(way.values)
            found = run.overviews[name]
            if found is not None:
                channels = run.made.channels(name) if plan.exact else None
                overview = {"array": blobs.array(found[0]), "level": found[1], "channels": channels}
        told[name] = {**_plan_fact(plan, way, blobs), "overview": overview}
    return told


def _plan_fact(plan: Plan, way: Way, blobs: Blobs) -> dict[str, Any]:
    array = None if plan.array is None else blobs.array(plan.array)
    told: dict[str, Any] = {"how": plan.how, "exact": plan.exact, "says": says(plan, way)}
    told["crc"] = way.checksum if plan.exact else None
    match plan.how:
        case "values":
            told |= {"array": array, "level": plan.level}
        case "formula":
            told |= {"off": array}
        case "ordered":
            assert plan.order is not None
            told |= {"order": plan.order.to_dict(), "off": array}
        case "worked":
            assert way.order is not None
            told |= {"order": way.order.to_dict(), "furthest": wire.num(way.furthest), "compared": way.values.size}
    return told


def _overview(values: Array) -> tuple[Coded, int] | None:
    """Means of a large layer, to be shown while it is worked out, and their level."""
    rows, columns = as_planes(values).shape[2:]
    level = next(n for n in range(32) if max(rows, columns) >> n <= _OVERVIEW)
    if level == 0 or level >= levels_of(rows, columns):
        return None
    coded = coding.as_f16(at_level(values, level))
    return None if coded is None else (coded, level)


def _work(run: _Run, plans: Mapping[str, Plan]) -> Counter[str]:
    """For each layer how many multiply-accumulates the page does until it has its values."""
    needed: dict[str, frozenset[str]] = {}
    work: Counter[str] = Counter()
    for name, plan in plans.items():
        layer = run.ways[name].layer
        if plan.how == "values":
            needed[name] = frozenset()
            continue
        needed[name] = frozenset([name]).union(*(needed.get(source, frozenset()) for source in layer.inputs))
        work[name] = sum(max(run.ways[one].layer.macs, run.ways[one].values.size) for one in needed[name])
    return work
