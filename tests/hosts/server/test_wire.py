"""The page's types are made of the schema that this server has; ``script/wire`` makes them again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.hosts.server.asking import app_of, desk_with

FRONTEND = Path(__file__).parents[3] / "frontend"


def _facts(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: shape for name, shape in schema["components"]["schemas"].items() if name.endswith("Fact")}


def test_the_committed_schema_is_the_server_s() -> None:
    here = json.loads(json.dumps(app_of(desk_with()).openapi()))
    committed = json.loads((FRONTEND / "openapi.json").read_text("utf-8"))
    assert _facts(committed) == _facts(here), "type script/wire"
    assert set(committed["paths"]) == set(here["paths"]), "type script/wire"


def test_the_committed_types_are_made_of_it() -> None:
    committed = json.loads((FRONTEND / "openapi.json").read_text("utf-8"))
    types = (FRONTEND / "src/source/wire.d.ts").read_text("utf-8")
    for name, shape in _facts(committed).items():
        block = re.search(rf"^        {name}: \{{$(.*?)^        \}};$", types, re.DOTALL | re.MULTILINE)
        assert block, f"{name} is missing: type script/wire"
        assert set(re.findall(r"^            (\w+)\??:", block[1], re.MULTILINE)) == set(shape["properties"])
