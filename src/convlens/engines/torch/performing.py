"""Running one operator as it would run in a plain pass, without copying what it overwrites where that can be spared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.aliasing import kept_elsewhere, sole_owner
from convlens.engines.torch.graph import MARK
from convlens.engines.torch.operators import Operator

Plainly = Callable[[], AbstractContextManager[object]]


def plainly() -> Plainly:
    """The dispatch settings of here and now, to be put back inside a mode.

    What a mode excludes from dispatch changes how composite operators decide (``linear`` on a transposed input rounds
    differently), so these run under the settings of a plain pass: equal to it to the last bit. Not so what makes views
    or writes in place, of which a part has been done already when the mode is called.
    """
    settings = (torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set())
    return partial(torch._C._ForceDispatchKeyGuard, *settings)


def perform(func: Any, made_by: Operator, args: Any, kwargs: Any, settings: Plainly | None) -> tuple[Any, bool]:
    """Run it; also tell whether an in-place operator was run aside, with memory of its own.

    In-place operators on memory that a kept map shares would copy it first. Where no other tensor sees that memory
    the result is computed aside instead, and the tensor pointed to it: the same to the model, and no copy.
    """
    if made_by.decides and settings is not None:
        with settings():
            return func(*args, **kwargs), False
    if made_by.out_of_place is not None and kept_elsewhere(args[0]) and sole_owner(args[0]):
        target = args[0]
        others = [value for value in args[1:] if isinstance(value, torch.Tensor)]
        if hasattr(target, MARK) and all(o.dtype == target.dtype and o.shape == target.shape for o in others):
            result = made_by.out_of_place(*args, **kwargs)
            if result.stride() == target.stride() and result.dtype == target.dtype:
                target.set_(result)
                return target, True
    if made_by.word != "view":
        return func(*args, **kwargs), False
    try:
        return func(*args, **kwargs), False
    except RuntimeError:
        # A picture laid out channels last, for speed, can't be viewed as its flat self. The same values in the
        # layout that the model expects can.
        if args[0].is_contiguous() or not sole_owner(args[0]):
            raise
        args[0].set_(args[0].contiguous())
        return func(*args, **kwargs), False
