"""Writes explanations.json: explanations as they cross to the page, beside the lines that Python prints for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

import convlens
from convlens.lens import Explanation
from convlens.lens.printed import decimals_for, ledger

SKETCH = (
    "conv 4 3x3 same | relu | maxpool 2x2 | conv 2 3x3 | batchnorm | avgpool 2x2 | globalavgpool | dense 5 | softmax"
)
PLACES = {
    "conv": (0, 0, 0),
    "conv2": (1, 2, 3),
    "relu": (0, 4, 4),
    "maxpool": (1, 2, 3),
    "batchnorm": (1, 2, 3),
    "avgpool": (0, 1, 1),
    "dense": (3,),
    "softmax": (0,),
}


def fact_of(found: Explanation) -> dict[str, Any]:
    """The wire's fact, written a second time and the simplest way."""
    fact = found.to_dict()
    working = found.working
    assert working is not None
    summed = working.window.ndim == 3 and working.products is not None
    groups = []
    for n in range(len(working.window) if summed else 0):
        window = working.window[n]
        origins = [working.origin((n, *place)) for place in np.ndindex(window.shape)]
        groups.append(
            {
                "channel": n,
                "sum": float(working.channel_sums[n]),
                "window": window.ravel().tolist(),
                "kernel": working.kernel[n].ravel().tolist(),
                "products": working.products[n].ravel().tolist(),
                "winners": None,
                "origins": [None if one is None else list(one[1]) for one in origins],
                "source": found.layer.inputs[0],
            }
        )
    groups.sort(key=lambda group: -abs(group["sum"]))
    for name in ("window", "inside", "kernel", "products", "channel_sums"):
        del fact[name]
    return fact | {
        "kind": found.layer.kind,
        "window_shape": list(working.window.shape),
        "group_shape": list(working.window.shape[-2:]),
        "groups": groups,
        "groups_total": len(groups),
        "folded_sum": None,
        "terms_total": len(found.inputs),
    }


def main() -> None:
    """One explanation a kind of arithmetic."""
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    maps = convlens.sketch(SKETCH, input_shape=(3, 24, 24), seed=0).feature_maps(picture)
    cases = []
    for layer, place in PLACES.items():
        found = maps.explain(layer, place)
        assert found.working is not None
        decimals = decimals_for(found.working, found.framework_value)
        rows = [[row.kind, row.number] for row in ledger(found, found.working, decimals)]
        cases.append({"fact": fact_of(found), "decimals": decimals, "rows": rows})
    Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
