"""From a formula as it is typed into a calculator to the same formula in LaTeX: same numbers, same brackets."""

from __future__ import annotations

import ast

_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot"}
_BRACKETS = {"floor": (r"\left\lfloor", r"\right\rfloor"), "ceil": (r"\left\lceil", r"\right\rceil")}


def latex(formula: str) -> str:
    r"""Typeset a formula of numbers, names, ``+ - * /``, brackets, ``floor``, ``ceil``, ``max`` and ``min``.

    The LaTeX is for math mode. Names may hold several words, joined by ``_``. Numbers get thousands separators.

    >>> print(latex("floor((1440 - 1*(3-1) - 1) / 2) + 1"))
    \left\lfloor \frac{1{,}440 - 1 \cdot (3 - 1) - 1}{2} \right\rfloor + 1
    >>> print(latex("channels_of_a_group * filters"))
    \text{channels of a group} \cdot \text{filters}
    """
    return _typeset(ast.parse(formula, mode="eval").body, formula)


def words(text: str) -> str:
    r"""Plain words for LaTeX's math mode.

    >>> print(words("50 % of layer_1"))
    \text{50 \% of layer\_1}
    """
    escaped = "".join(f"\\{letter}" if letter in "%_&#$" else _NAMED.get(letter, letter) for letter in text)
    return rf"\text{{{escaped}}}"


_NAMED = {"\\": "/", "{": "(", "}": ")", "^": " ", "~": " "}
"""What ``\\text`` of every typesetter can't show, by what it can."""


def _typeset(node: ast.expr, source: str) -> str:
    match node:
        case ast.Constant(value=int() | float() as number):
            return f"{number:,}".replace(",", "{,}")
        case ast.Name(id=name):
            return words(name.replace("_", " "))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_bracketed(operand, source)}"
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return rf"\frac{{{_typeset(left, source)}}}{{{_typeset(right, source)}}}"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
            return f"{_bracketed(left, source)} {_SIGNS[type(op)]} {_bracketed(right, source)}"
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _BRACKETS:
            before, after = _BRACKETS[name]
            return f"{before} {_typeset(argument, source)} {after}"
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=arguments):
            return rf"\{name}({', '.join(_typeset(argument, source) for argument in arguments)})"
        case _:
            raise ValueError(f"not a formula: {source}")


def _bracketed(node: ast.expr, source: str) -> str:
    """The part with the brackets that the source has around it; a fraction needs none."""
    start, end = node.col_offset, node.end_col_offset or 0
    around = source[start - 1 : start] == "(" and source[end : end + 1] == ")"
    inside = isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Div)
    return f"({_typeset(node, source)})" if around and inside else _typeset(node, source)
