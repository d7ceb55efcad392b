"""A name for every value that nodes make: the exporter's own path, stable, unique, easy to type."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import onnx

WEIGHTED = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "ConvInteger",
        "QLinearConv",
        "Gemm",
        "MatMul",
        "QLinearMatMul",
        "MatMulInteger",
        "BatchNormalization",
        "PRelu",
        "InstanceNormalization",
        "GroupNormalization",
        "LayerNormalization",
        "SimplifiedLayerNormalization",
        "RMSNormalization",
        "LSTM",
        "GRU",
        "RNN",
        "FusedConv",
        "FusedGemm",
    ]
)
"""Operators whose weights identify them: a weight's path is the layer's path."""

_AUTOMATIC = re.compile(r"node_.*|n\d+(_\d+)*|_?inlfunc_.*|\d+")
"""Names that an exporter counted up, without a meaning: node_Conv_877, n4_2, 135."""
_ROLE = re.compile(
    r"[./](weight|kernel|gamma|beta|bias|weight_bias|slope|alpha|running_mean|running_var|moving_mean|moving_variance)"
    r"(_(quantized|scale|zero_point|bias))*(:0)?$"
)
_READ = re.compile(r"/(ReadVariableOp|Read/ReadVariableOp|Cast/ReadVariableOp)(:0|_\d+)?$")


class Names:
    """Gives out unique names: ``relu``, then ``relu:2``.

    >>> names = Names(["image"])
    >>> names.unique("relu"), names.unique("relu"), names.unique("image")
    ('relu', 'relu:2', 'image:2')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """``name`` itself, or with the first free number behind a colon."""
        count = self._counts.get(name, 0) + 1
        candidate = name if count == 1 else f"{name}:{count}"
        while candidate in self._taken:
            count += 1
            candidate = f"{name}:{count}"
        self._counts[name] = count
        self._taken.add(candidate)
        return candidate


def layer_name(node: onnx.NodeProto, weights: Iterable[str]) -> str:
    """What the file calls this node, in words: not yet unique.

    ``weights`` are the names of the initializers that it reads. In order: the node's own name; the path of its weights;
    the module path that PyTorch's exporter recorded; the name of its output; its operator.

    >>> layer_name(onnx.helper.make_node("Relu", ["x"], ["y"], name="/conv1/Relu"), [])
    'conv1/Relu'
    >>> layer_name(onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="node_Conv_877"), ["stem.conv.weight"])
    'stem.conv'
    >>> layer_name(onnx.helper.make_node("Relu", ["x"], ["y"], name="n4_2"), [])
    'relu'
    """
    own = node.name.strip("/")
    if own and not _AUTOMATIC.fullmatch(own):
        return own
    if node.op_type in WEIGHTED:
        for weight in weights:
            path = _READ.sub("", weight)
            if _ROLE.search(path):
                return _ROLE.sub("", path).strip("/")
    path = _module_path(node)
    if path:
        return path
    made = next((o for o in node.output if o), "")
    if not own and made and not _AUTOMATIC.fullmatch(made):
        return made.strip("/") or node.op_type.lower()
    return node.op_type.lower()


_DEEPEST = 64
"""Parts of a path; a name with more of them is none, and would be drawn as so many boxes one inside the other."""


def scope_of(name: str) -> tuple[str, ...]:
    """The path around a layer.

    >>> scope_of("blocks/blocks.0/c/Conv"), scope_of("layer1.0.conv1:2"), scope_of("relu")
    (('blocks', 'blocks.0', 'c'), ('layer1', '0'), ())
    """
    parts = name.split("/") if "/" in name else name.split(".")
    return tuple(part for part in parts[:-1] if part) if len(parts) <= _DEEPEST else ()


def nameless(node: onnx.NodeProto, layer: str) -> bool:
    """Whether a layer is called after its operator, since the file has no name for it.

    >>> nameless(onnx.helper.make_node("Clip", ["x"], ["y_1"], name="node_clip_3"), "clip:2")
    True
    >>> nameless(onnx.helper.make_node("Clip", ["x"], ["y"], name="clip"), "clip")
    False
    """
    given = (node.name or node.output[0]).strip("/")
    return layer.partition(":")[0] == node.op_type.lower() != given


def _module_path(node: onnx.NodeProto) -> str:
    """The path that PyTorch's exporter wrote down: the module, if it is one operator, else module.function."""
    properties = {p.key: p.value for p in node.metadata_props}
    scopes = _listed(properties.get("pkg.torch.onnx.name_scopes", ""))
    classes = _listed(properties.get("pkg.torch.onnx.class_hierarchy", ""))
    if len(scopes) < 2:
        return ""
    module = scopes[-2]
    owner = classes[-2] if len(classes) >= 2 else ""
    if module and owner.startswith("torch.nn.modules.") and ".container." not in owner:
        return module
    function = classes[-1].split(".")[1] if classes and classes[-1].count(".") >= 1 else node.op_type.lower()
    return f"{module}.{function}" if module else function


def _listed(text: str) -> list[str]:
    try:
        words = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError):
        return []
    return [str(w) for w in words] if isinstance(words, list) else []
