"""Formulas that are computed as they are shown: one text gives symbols, numbers and value."""

import ast
import operator
from typing import NamedTuple

_GREEK = {"kappa": "κ", "rho": "ρ"}
_BETWEEN = {ast.Add: " + ", ast.Sub: " − ", ast.FloorDiv: " / "}
_BINDS = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.FloorDiv: 2, ast.Pow: 3}
_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


class Formula(NamedTuple):
    """A name, what it stands for, and its value.

    Example:
        >>> from explorer.expressions import evaluate, plain
        >>> (q,) = evaluate([("q", "min(r, K)")], {"r": 4, "K": 3})
        >>> plain(q.symbols), plain(q.numbers), q.value
        ('min(r, K)', 'min(4, 3)', 3)
    """

    name: str  # HTML
    symbols: str  # HTML
    numbers: str  # HTML
    value: int


def evaluate(definitions, values):
    """Return a Formula for each definition, and add their values to `values`, in order.

    Args:
        definitions: list of (name, expression), in Python's notation: integers, names, + - * // **, `min` and `abs`. A
            list of expressions stands for the one of the smallest value, the first of them.
        values: {name: int} of what is known before.
    """
    found = []
    for name, choices in definitions:
        trees = [ast.parse(each, mode="eval") for each in ([choices] if isinstance(choices, str) else choices)]
        tree = min(trees, key=lambda each: _value(each.body, values))
        value = _value(tree.body, values)
        numbers = _shown(tree.body, lambda leaf: str(values[leaf]), " · ")
        found.append(Formula(symbol(name), _shown(tree.body, symbol, " "), numbers, value))
        values[name] = value
    return found


def symbol(name):
    """Return a name as HTML: one letter in italics, and what follows an underscore as an index."""
    letter, _, index = name.partition("_")
    letter = _GREEK.get(letter, letter)
    if letter == "dim":
        return f"dim <i>{index}</i>"
    return f"<i>{letter}</i><sub>{index}</sub>" if index else f"<i>{letter}</i>"


def plain(html):
    """Return a formula without its tags, with powers as ^2, as one would type it."""
    for old, new in (("<sup>", "^"), ("</sup>", ""), ("<sub>", "_"), ("</sub>", ""), ("<i>", ""), ("</i>", "")):
        html = html.replace(old, new)
    return html


def _value(node, values):
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call):
        return {"min": min, "abs": abs}[node.func.id](*(_value(each, values) for each in node.args))
    return values[node.id] if isinstance(node, ast.Name) else node.value


def _shown(node, leaf, times, binds=0):
    """Return an expression as HTML, in brackets if it binds less than what is around it."""
    if isinstance(node, ast.BinOp):
        own = _BINDS[type(node.op)]
        left = _shown(node.left, leaf, times, own)
        if isinstance(node.op, ast.Pow):
            return f"{left}<sup>{_shown(node.right, leaf, times)}</sup>"
        right = _shown(node.right, leaf, times, own + isinstance(node.op, ast.Sub))
        text = left + (times if isinstance(node.op, ast.Mult) else _BETWEEN[type(node.op)]) + right
        return f"({text})" if own < binds else text
    if isinstance(node, ast.Call):
        inside = ", ".join(_shown(each, leaf, times) for each in node.args)
        return f"|{inside}|" if node.func.id == "abs" else f"min({inside})"
    return leaf(node.id) if isinstance(node, ast.Name) else str(node.value)
