"""What a report had to give up, in words: for each layer, and for the whole file."""

from __future__ import annotations

from collections.abc import Mapping

from convlens.hosts.report.planning import Plan, Plans, Way

_FORMS = (
    "",
    "The weights of {} are carried in float16",
    "The weights of {} are carried with 8 bits a weight",
    "The weights of {} are left out: these layers can be looked at, but not explained",
)


def says(plan: Plan, way: Way) -> str | None:
    """Why the values of a layer aren't the framework's own bits; ``None`` where they are."""
    if plan.exact:
        return None
    match plan.how:
        case "values" if plan.level:
            return f"This file carries the maps in float16, at 1/{1 << plan.level} of their resolution"
        case "values":
            return "This file carries the maps in float16"
        case _ if plan.of_true:
            return (
                f"Worked out by the page; the framework's own values differ by at most {way.furthest:.3g} "
                f"(all {way.values.size:,} were compared)"
            )
        case _:
            return "Worked out by the page from maps that this file carries with less precision"


def reductions(plans: Plans, names: Mapping[str, str]) -> list[str]:
    """All that had to be reduced to keep to the budget, a line each."""
    found: dict[str, list[str]] = {}

    def add(what: str, model: str, layer: str) -> None:
        found.setdefault(what, []).append(layer if len(names) == 1 else f"{layer} of {names[model]}")

    for model, layers in plans.weights.items():
        for name, weight in layers.items():
            if weight.at:
                add(_FORMS[weight.at], model, name)
    for number, (model, _) in enumerate(plans.runs):
        for name, plan in plans.plan(number).items():
            if plan.exact:
                continue
            if plan.how != "values" and plan.of_true:
                nearly = "nearly the framework's own: worked out by the page, without the last bits"
                add(f"The maps of {{}} are {nearly}", model, name)
            elif plan.how != "values":
                add(
                    "The maps of {} are worked out by the page from maps of less precision",
                    model,
                    name,
                )
            elif plan.level:
                add(f"The maps of {{}} are carried in float16, at 1/{1 << plan.level} of their resolution", model, name)
            else:
                add("The maps of {} are carried in float16", model, name)
    return [what.format(_listed(layers)) for what, layers in found.items()]


def _listed(found: list[str], most: int = 6) -> str:
    layers = list(dict.fromkeys(found))
    if len(layers) <= most:
        return ", ".join(layers)
    return f"{len(layers)} layers ({', '.join(layers[: most - 1])}, ...)"
