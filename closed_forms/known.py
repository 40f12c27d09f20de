"""What a closed form returns: three ranks, and which of them are equalities."""

from typing import NamedTuple

from hessians import HessianTriple


class KnownRanks(NamedTuple):
    """Closed forms for the ranks of the three matrices.

    All of them are upper bounds, for any weights, data and targets: the rank of a matrix can only fall in a limit. An
    equality holds for weights, data and targets in general position (`closed_forms.linear`).
    """

    ranks: HessianTriple  # of ints
    equal: HessianTriple  # of bools: an equality in general position, or only an upper bound


def known(functional, outer, loss, equal=(True, True, True)):
    """Return KnownRanks of three ints, and of three bools or one for all."""
    flags = (equal,) * 3 if isinstance(equal, bool) else equal
    return KnownRanks(HessianTriple(functional, outer, loss), HessianTriple(*map(bool, flags)))


def as_known(form):
    """Return KnownRanks as they are, and those of a HessianTriple of ints as equalities."""
    return form if hasattr(form, "equal") else known(*form)


def at_most(name, value, largest, what):
    """Return a value that is at most the largest.

    Raises:
        ValueError: if it is larger; the message says what the largest is.
    """
    if value > largest:
        raise ValueError(f"{name} must be at most {what} = {largest}, got {value}")
    return value
