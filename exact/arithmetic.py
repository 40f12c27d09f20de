"""What the interpreter computes with: numbers that are known in up to three ways at once.

A `Number` is an array of real numbers. Its `entry` is what ranks are made of: residues modulo a prime, or balls of
hundreds of digits. Its `order` tells which of two entries is the larger, which residues cannot. Its `near` is the same
array at nearby weights, and tells on which side of a tie those weights lie. A derivative along a probe has an entry
alone: it has no order, and no comparison may ask for it.

How to add, multiply and compare in each of the three is an `Arithmetic`. `combine` and `compare` apply all three.
"""

import operator
from typing import NamedTuple

import numpy as np


class Number(NamedTuple):
    """An array of numbers. Each field is a tuple of NumPy arrays of one shape, as its arithmetic defines them."""

    entry: tuple
    order: tuple | None = None
    near: tuple | None = None

    @property
    def shape(self):
        """The shape of the array."""
        return self.entry[0].shape


class Arithmetic(NamedTuple):
    """The operations of one field. Each takes and returns tuples of NumPy arrays."""

    exact: object  # float64 array -> itself, without rounding
    add: object
    neg: object
    mul: object
    inverse: object
    total: object  # (part, axis) -> the sum along an axis
    matmul: object  # (..., m, k), (..., k, n) -> (..., m, n)
    compare: object  # (a, b) -> the sign of a - b, and where it could not be decided; None where there is no order
    equal: object  # (a, b) -> where a = b
    finite: object  # part -> where it is a number at all; None if infinity has no place in it
    nan: object  # part -> where it is not even infinite
    functions: dict  # exp, tanh, ... by the name of the primitive, where the arithmetic has them


class Fields(NamedTuple):
    """The three arithmetics of a computation, and the ties that it has met."""

    entry: Arithmetic
    order: Arithmetic
    near: Arithmetic
    broken: dict  # primitive's name -> how many ties, at most at a time, are none at nearby weights
    constants: dict  # float64 constants of the program that stand for others: {1 / 3: a ball around it}
    reach: set  # the digits below 1 that functions such as exp reach down to, one number for each set of arguments

    def exact(self, x):
        """Return integers, booleans or float64 numbers as a Number, and a Number as it is."""
        if isinstance(x, Number):
            return x
        x = np.asarray(x, float)
        if self.constants and np.any(self.stands_for_another(x)):
            balls = np.array(self.entry.exact(x)[0])
            for rounded, ball in self.constants.items():
                balls[x == rounded] = ball
            return Number((balls,), (balls,), (balls,))
        return Number(self.entry.exact(x), self.order.exact(x), self.near.exact(x))

    def stands_for_another(self, x):
        """Return where float64 numbers are constants of the program that were rounded."""
        return np.isin(x, list(self.constants))


class OpenComparisonError(ArithmeticError):
    """The order is not known precisely enough to decide a comparison. A more precise one decides it."""


class IrrationalError(ArithmeticError):
    """A function such as exp has no value modulo a prime. Balls have one."""


class ZeroDivisorError(ArithmeticError):
    """A divisor is zero, or a multiple of the prime."""


def in_every_field(fields, pick, *numbers, **options):
    """Apply what `pick` takes from each `Arithmetic`, in every field that all operands have."""
    parts = []
    for arithmetic, operands in zip(fields[:3], zip(*numbers, strict=True), strict=True):
        known = all(part is not None for part in operands)
        parts.append(pick(arithmetic)(*operands, **options) if known else None)
    return Number(*parts)


def combine(fields, operation, *numbers, **options):
    """Carry out one operation of `Arithmetic`, by its name. Infinity has no residue, and is refused."""
    result = in_every_field(fields, operator.attrgetter(operation), *numbers, **options)
    if fields.entry.finite is not None:  # it can be infinite
        return result
    for number in numbers if result.order is None else [result]:
        if number.order is not None and not np.all(fields.order.finite(number.order)):
            raise OpenComparisonError(f"'{operation}' meets infinity")
    return result


def compare(fields, name, a, b):
    """Return the signs of a - b, -1, 0 or 1. A tie is looked at from nearby weights: if it is none there, by its side.

    Raises:
        ValueError: for derivatives.
        OpenComparisonError: for numbers that differ by less than is known of them.
    """
    if a.order is None or b.order is None:
        raise ValueError(
            f"'{name}' compares derivatives: the network is not smooth between its kinks, and its Hessian depends on "
            "the direction of the derivative. Compare values of the network alone, not of its derivatives"
        )
    sign, close = fields.order.compare(a.order, b.order)
    if close.any():
        tie = close & fields.entry.equal(a.entry, b.entry)
        if np.any(close & ~tie):
            raise OpenComparisonError(f"'{name}' compares numbers that differ by less than their errors")
        side, _ = fields.near.compare(a.near, b.near)
        sign = np.where(close, side, sign)
        count = int(np.sum(close & (side != 0)))
        if count:
            fields.broken[name] = max(count, fields.broken.get(name, 0))
    return sign
