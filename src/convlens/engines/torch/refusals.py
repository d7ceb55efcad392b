"""What goes wrong inside a model, said in one line: what was expected, what was received, what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.operators import Operator, described
from convlens.errors import ConvlensError, InputError, ModelError
from convlens.network import Convolution, Input, Pooling, Shape


@dataclass(frozen=True, slots=True)
class Failure:
    """The operator that refused its arguments: its word, their shapes, and the module that it ran in.

    ``least`` is the size that its kernel needs, where what it reads is smaller.
    """

    word: str
    shapes: tuple[Shape, ...]
    place: str = ""
    least: Shape = ()

    @classmethod
    def of(
        cls, made_by: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], tensors: list[torch.Tensor], place: str
    ) -> Failure:
        """What is known of a call that failed."""
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        return cls(made_by.word, shapes, place, _least(made_by, args, kwargs, tensors[0]))


def _least(made_by: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], read: torch.Tensor) -> Shape:
    try:
        _, (operation, *_) = described(made_by, args, kwargs, {id(read)}, (tuple(read.shape),), int(read.shape[0]))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return ()  # arguments that are wrong in another way
    if not isinstance(operation, (Convolution, Pooling)) or len(operation.padding) != len(operation.kernel_size):
        return ()
    spans = [d * (k - 1) + 1 for k, d in zip(operation.kernel_size, operation.dilation, strict=True)]
    least = tuple(max(span - sum(pads), 1) for span, pads in zip(spans, operation.padding, strict=True))
    sizes = tuple(read.shape)[-len(least) :]
    return least if any(size < needed for size, needed in zip(sizes, least, strict=False)) else ()


def unready(module: torch.nn.Module) -> ModelError | None:
    """Why a model can't be run at all: lazy parameters that no run has shaped yet, or weights on the meta device."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if torch.nn.parameter.is_lazy(tensor):
            return ModelError(
                "The model has lazy layers whose weights don't exist yet",
                expected="a model that was run once",
                received=f"the uninitialised {name!r}",
                hint="Run it on one example before you open it: model(torch.zeros(1, 3, 224, 224)).",
            )
        if tensor.device.type == "meta":
            return ModelError(
                "The model's weights have no values",
                expected="weights on the CPU or an accelerator",
                received=f"{name!r} on the meta device",
                hint="Load the weights first: model.to_empty(device='cpu'), then model.load_state_dict(...).",
            )
    return None


def asked_for_integers(module: torch.nn.Module) -> bool:
    """Whether the model might read indices: it has an embedding."""
    return any(isinstance(inner, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for inner in module.modules())


def refusal(error: Exception, failed: Failure | None, inputs: tuple[Input, ...]) -> ConvlensError:
    """The error to raise for what the model's forward raised.

    ``failed`` is the operator that refused its arguments; without it the model's own code failed.
    """
    if isinstance(error, ConvlensError):
        return error
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    given = ", ".join(f"{i.name!r} of shape (batch, {', '.join(str(n) for n in i.shape)})" for i in inputs)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in said:
        return ModelError(
            "There isn't enough memory for this run",
            received=given,
            hint="Give a smaller picture or fewer pictures at once.",
        )
    if failed is not None and failed.least:
        return InputError(
            f"The picture is too small: the kernel of {failed.place or failed.word} doesn't fit into what it reads",
            expected=f"at least {_sized(failed.least)} there",
            received=_sized(failed.shapes[0][-len(failed.least) :]),
            hint="Take a larger picture, or enlarge it: Recipe(resize='stretch', size=(rows, columns)), "
            "--resize stretch --size ROWSxCOLUMNS.",
        )
    if failed is not None or isinstance(error, (RuntimeError, AssertionError)):
        operator = f"The model's {failed.word} can't take what it gets" if failed else "The model can't take this input"
        shapes = f"; tensors of shapes {' and '.join(str(shape) for shape in failed.shapes[:3])}" if failed else ""
        return InputError(
            f"{operator} ({said})",
            expected="an input that the model was made for",
            received=given + shapes,
            hint="Give a picture with the size and the number of channels that the model was made for, or say them: "
            "convlens.open(model, input_shape=(3, 224, 224)), --input-shape 3,224,224.",
        )
    return ModelError(
        f"The model's forward failed with {type(error).__name__} ({said})",
        expected="a forward that runs on this input",
        received=given,
        hint="Call the model yourself on the same input to see where.",
    )


def _sized(sizes: Shape) -> str:
    return " x ".join(str(size) for size in sizes)
