"""``.pt2`` archives, read so that nothing in them is executed.

``torch.export.load`` falls back to full unpickling, evaluates the text of symbolic sizes and looks up whatever function
a node names. So the archive is read member by member first, with the same reader, and refused if it holds more than
tensors and a graph of operators.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens import memory
from convlens.errors import ConvlensError, ModelError, UntrustedModelError

_OPERATOR = re.compile(
    r"torch\.ops\.(?!load_library|import_module)\w+\.\w+(\.\w+)?|(_operator|math)\.[a-z]+|torch\.sym_[a-z]+"
)
_FILE = re.compile("file|path|dir", re.IGNORECASE)
_SCRIPT = re.compile(
    r"\b(from_file|read_file|write_file|load_tensor|debugprims)\b|\b(torch|aten|ops\.\w+)\.(save|load)\b"
    r"|getattr\s*\([^\"']*[\"'](save|load)[\"']|\bops\.(?!(aten|prim|prims|quantized|torchvision)\b)\w+\.\w+"
)
"""What TorchScript's text can name files with, once its strings are put together."""
_JSON = 20
"""How much longer JSON becomes when it is read."""
_NAME = re.compile(r"[\w.\-]*")
_FUNCTIONS = frozenset(
    "Symbol Integer Float Rational Max Min Mod PythonMod FloorDiv CleanDiv ModularIndexing Where IntTrueDiv"  # noqa: SIM905
    " FloatTrueDiv CeilToInt FloorToInt TruncToInt RoundToInt RoundDecimal TruncToFloat ToFloat PowByNatural FloatPow"
    " Abs LShift RShift OpaqueUnaryFn_sqrt BitwiseFn_bitwise_and BitwiseFn_bitwise_or IsNonOverlappingAndDenseIndicator"
    " Identity floor ceiling Eq Ne Lt Le Gt Ge And Or Not Add Mul Pow".split()
)
_CALCULATION = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp, ast.BoolOp),
    *(ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def load_without_running(path: Path) -> object:
    """The exported program in ``path``.

    Raises:
        UntrustedModelError: it holds pickles, compiled code, or a graph that calls more than operators.
        ModelError: it isn't an exported program, or is broken.
    """
    try:
        from torch.export.pt2_archive._package import PT2ArchiveReader, load_pt2  # noqa: TID251
    except ImportError as error:
        raise UntrustedModelError(
            f"This PyTorch ({torch.__version__}) can open {path.name} only by running pickles in it",
            expected="PyTorch 2.8 or newer",
            hint="Update PyTorch, or say trust=True if you know where the file comes from.",
        ) from error
    try:
        with PT2ArchiveReader(str(path)) as archive:
            for member in archive.get_file_names():
                _check_member(path, member, partial(archive.read_bytes, member))
        programs = load_pt2(str(path)).exported_programs
    except ConvlensError:
        raise
    except Exception as error:
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelError(
            f"{path.name} can't be opened",
            expected="an exported program, as torch.export.save writes it",
            received=said,
            hint="Check that the file is complete; export it again with this version of PyTorch.",
        ) from error
    if len(programs) != 1:
        raise ModelError(
            f"{path.name} isn't one model", expected="one exported program", received=f"{len(programs)} of them"
        )
    return next(iter(programs.values()))


def _check_member(path: Path, member: str, read: Callable[[], bytes]) -> None:
    if member.startswith("data/sample_inputs/") or (member.startswith("data/") and member.endswith(".pt")):
        content = read()
        try:
            if content:
                torch.load(io.BytesIO(content), weights_only=True)
        except Exception:
            raise _untrusted(path, f"a pickle that isn't plain tensors, {member}") from None
    elif member.startswith(("data/weights/", "data/constants/")):
        if member.endswith(".json"):
            for payload in json.loads(read())["config"].values():
                if payload.get("use_pickle") or not str(payload.get("path_name")).startswith(("weight_", "tensor_")):
                    raise _untrusted(path, f"pickled objects among its weights, named in {member}")
    elif member.startswith("models/"):
        _check_graph(path, json.loads(read()))
    elif member.startswith("data/aotinductor/") or member.endswith((".so", ".dll", ".dylib", ".pkl")):
        raise _untrusted(path, f"compiled or pickled code, {member}")


def _check_graph(path: Path, value: Any) -> None:
    for key, text in _strings(value):
        if key == "target" and not _OPERATOR.fullmatch(text):
            raise _untrusted(path, f"a call of {text[:60]!r}, which isn't an operator")
        if key == "target" and text.startswith("torch.ops.") and _names_files(*text.split(".")[2:4]):
            raise _untrusted(path, f"a call of {text[:60]!r}, which reads or writes other files")
        if key == "expr_str" and not _only_calculates(text):
            raise _untrusted(path, f"a size that isn't a calculation, {text[:60]!r}")
        if key in ("in_spec", "out_spec", "forward_arg_names", "name") and not _only_names(text):
            raise _untrusted(path, f"a name that isn't one, {text[:60]!r}")


def _names_files(namespace: str, name: str) -> bool:
    """Whether an operator is told the name of a file."""
    schemas = torch._C._jit_get_schemas_for_operator(f"{namespace}::{name}")
    return namespace == "debugprims" or any(
        _FILE.search(argument.name) is not None and "str" in str(argument.type)
        for schema in schemas
        for argument in schema.arguments
    )


def check_script(path: Path) -> None:
    """Refuse a TorchScript archive whose code names what reads or writes files; what else it can do is arithmetic.

    Loading already runs some of that code, so its text is searched before.

    Raises:
        UntrustedModelError
    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".py"):
                continue
            found = _SCRIPT.search(_spelled_out(archive.read(info).decode("utf-8", errors="replace")))
            if found is not None:
                raise _untrusted(path, f"code that could read or write other files, {found[0].strip()[:60]!r}")


def _spelled_out(code: str) -> str:
    """The code with the escapes of its strings resolved, and strings that stand side by side joined."""

    def resolved(escape: re.Match[str]) -> str:
        hexadecimal, octal = escape.groups()
        return chr(int(hexadecimal, 16)) if hexadecimal else chr(int(octal, 8))

    return re.sub(r"""(["'])\s*\1""", "", re.sub(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3}))", resolved, code))


def check_sizes(path: Path) -> None:
    """Hold what the members of an archive become against the memory that is free, before any is unpacked.

    Raises:
        MemoryBudgetError
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = sum(info.file_size * (_JSON if info.filename.endswith(".json") else 1) for info in members)
    memory.check(size, f"What {path.name} holds", memory.available())


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested JSON, with the nearest key above it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, key)
    elif isinstance(value, dict):
        for inner, item in value.items():
            yield from _strings(item, inner)


def _only_calculates(text: str) -> bool:
    """Whether evaluating the text can only do sums: known functions of names and numbers; text only names a symbol."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    symbols = {id(call.args[0]) for call in calls if call.args and _called(call) == "Symbol"}
    return (
        all(isinstance(node, _CALCULATION) for node in nodes)
        and all(_called(call) in _FUNCTIONS for call in calls)
        and all(
            isinstance(node.value, (bool, int, float)) or (id(node) in symbols and str(node.value).isidentifier())
            for node in nodes
            if isinstance(node, ast.Constant)
        )
    )


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _only_names(text: str) -> bool:
    """Whether a text, or every text in the JSON that it is, could stand in generated code as a name."""
    if text[:1] in ("[", "{", '"'):
        try:
            return all(_only_names(inner) and _only_names(key) for key, inner in _strings(json.loads(text)))
        except ValueError:
            return False
    return _NAME.fullmatch(text) is not None


def _untrusted(path: Path, what: str) -> UntrustedModelError:
    return UntrustedModelError(
        f"Opening {path.name} could run code that it carries",
        expected="an exported program of tensors and operators",
        received=what,
        hint="Say trust=True (on the command line --trust) if you know where it comes from.",
    )
