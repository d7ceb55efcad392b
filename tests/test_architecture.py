"""The house holds its own rules: who imports what, and that adding an engine touches exactly five places."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import convlens
from convlens.engines import registry
from convlens.engines.base import Engine
from convlens.testing import EngineTests

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "convlens").rglob("*.py"))


def imported_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running ``code``."""
    program = f"{code}\nimport sys\nprint('\\n'.join(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


FRAMEWORKS = {"keras", "tensorflow", "jax", "torch", "onnxruntime", "onnx"}


def test_importing_convlens_imports_nothing_heavy() -> None:
    assert not imported_by("import convlens") & (FRAMEWORKS | {"numpy", "matplotlib", "PIL", "typer", "rich"})


def test_the_lens_imports_no_framework_and_no_matplotlib() -> None:
    assert not imported_by("import convlens.lens") & (FRAMEWORKS | {"matplotlib", "zarr"})


def test_an_onnx_model_needs_no_other_framework() -> None:
    loaded = imported_by("import convlens; convlens.sketch('conv 1 3x3', input_shape=(3, 8, 8)).summary()")
    assert {"onnx", "onnxruntime"} <= loaded
    assert not loaded & {"keras", "tensorflow", "jax", "torch", "matplotlib"}


def test_the_package_root_stays_small() -> None:
    assert len((ROOT / "src" / "convlens" / "__init__.py").read_text("utf-8").splitlines()) < 60


def test_every_public_name_exists_and_is_documented() -> None:
    for name in convlens.__all__:
        value = getattr(convlens, name)
        assert name == "__version__" or inspect.getdoc(value), name


@pytest.mark.parametrize("row", registry.ROWS, ids=lambda row: row.name)
class TestAddingAnEngineTouchesFivePlaces:
    def test_its_module(self, row: registry.Row) -> None:
        engine: type[Engine] = getattr(importlib.import_module(row.module), row.engine)
        assert engine.name == row.name

    def test_its_registry_row(self, row: registry.Row) -> None:
        assert row.suffixes
        assert row.types
        assert find_spec(row.package) is not None
        others = [other for other in registry.ROWS if other is not row]
        assert not {s for other in others for s in other.suffixes} & set(row.suffixes)

    def test_its_extra(self, row: registry.Row) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        wanted = project["optional-dependencies"][row.extra] if row.extra else project["dependencies"]
        assert any(requirement.startswith(row.package) for requirement in wanted)

    def test_its_conformance_tests(self, row: registry.Row) -> None:
        engine: type[Engine] = getattr(importlib.import_module(row.module), row.engine)
        path = ROOT / "tests" / "engines" / f"test_{row.name}.py"
        spec = importlib.util.spec_from_file_location(f"conformance_of_{row.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        suites = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, EngineTests)]
        assert engine in {getattr(suite, "engine", None) for suite in suites}

    def test_its_row_of_the_documentation(self, row: registry.Row) -> None:
        table = (ROOT / "docs" / "engines.md").read_text("utf-8")
        line = next(line for line in table.splitlines() if line.startswith(f"| `{row.name}`"))
        for suffix in row.suffixes:
            assert f"`{suffix}`" in line


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_file_says_what_it_is_for(path: Path) -> None:
    first = path.read_text("utf-8").lstrip()
    assert first.startswith('"""'), "a module begins with a docstring"
    assert len(first.splitlines()) <= 450, "a file holds one topic, about 300 lines"
