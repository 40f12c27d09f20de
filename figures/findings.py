"""What was found, in one sentence below a table: results in, text out, no surer than the grades of the ranks."""

import textwrap

from closed_forms.known import as_known
from figures.rank_tables import divided
from grades import proved
from hessians import SYMBOLS

_WIDTH = 97  # of a line, as wide as the table of ranks
# What the predicted ranks are, where "the" before the heading of their column would not say it.
_SOURCES = {"at a minimum": "the closed form at a minimum", "dense rank": "the dense matrices"}
_BOUND = "closed form"  # the heading of formulas that are upper bounds for all weights
_ALL = "all three ranks"


def rank_finding(measured, predicted, heading="closed form", data_rank=None, exact_data_rank=None, exact=None):
    """Return a sentence: which ranks are those predicted, how far off the others are, and what vouches for them.

    Where ranks are open, the sentence begins with that, and calls the rest what float64 shows. A rank above the closed
    form contradicts it, since that is an upper bound. The sentence says so unless the rank is open or r is uncertain.

    Args:
        measured, predicted, heading, data_rank, exact_data_rank, exact: as in `figures.rank_table`.

    Example:
        >>> import numpy as np
        >>> from closed_forms import linear_ranks
        >>> from exact import ExactRank
        >>> from figures import rank_finding
        >>> from hessians import HessianTriple
        >>> from ranks import numerical_rank
        >>> found = HessianTriple(*(numerical_rank(np.eye(rank)) for rank in (8, 6, 10)))
        >>> exact = HessianTriple(ExactRank(8), ExactRank(6), ExactRank(10))
        >>> print(rank_finding(found, linear_ranks(r=3, classes=2, units=[2]), exact=exact))
        All three ranks are those of the closed form, and exact arithmetic proves all three.
        >>> print(rank_finding(found, HessianTriple(8, 6, 11)))
        All three ranks are open: as far as float64 shows, the ranks of H_f and H_o are those of the
        closed form, and that of H_L is 1 below it (10 instead of 11).
    """
    three, _ = divided(measured)
    known, equalities = as_known(predicted)
    truths = exact or (None,) * 3
    best = [found if truth is None else proved(found, truth) for found, truth in zip(three, truths, strict=True)]
    groups = {"equal": [], "below": [], "above": [], "bound": []}
    for symbol, found, form, is_equality in zip(SYMBOLS, best, known, equalities, strict=True):
        groups[_place(found.rank, form, is_equality)].append((symbol, found, form))
    source, clauses = _SOURCES.get(heading, f"the {heading}"), []
    for place, group in groups.items():
        clauses += [_clause(place, group, source, first=not clauses)] if group else []
    opened = [symbol for symbol, found in zip(SYMBOLS, best, strict=True) if not found.trusted]
    if opened:
        text = f"{_opened(opened, 3)}: as far as float64 shows, {_joined(clauses)}"
    else:
        text = _joined([*clauses, _vouched({found.grade for found in best})])
    doubt = _doubt(data_rank, exact_data_rank, source)
    refuting = [each for each in groups["above"] if each[1].trusted and heading == _BOUND]
    return _sentence(text + (doubt or _contradiction(refuting, data_rank)))


def exact_finding(pairs):
    """Return a sentence: how many numerical ranks are the exact ones, and whether the wrong ones are open.

    Args:
        pairs: list of pairs, a HessianTriple of NumericalRank and one of `exact.ExactRank`.
    """
    both = [pair for measured, exact in pairs for pair in zip(measured, exact, strict=True)]
    low = [found for found, truth in both if found.rank < truth.rank]
    high = [found for found, truth in both if found.rank > truth.rank]
    if not low + high:
        return _sentence(f"all {len(both)} numerical ranks are the exact ones")
    trusted = sum(found.trusted for found in low + high)
    right = len(both) - len(low + high)
    judged = f"of {len(both)} numerical ranks, {right} are the exact ones, {len(low)} too low and {len(high)} too high"
    verb = "is" if trusted == 1 else "are"
    warned = f"of the wrong ones, {trusted} {verb} not open" if trusted else "the wrong ones are all open"
    return _sentence(f"{judged}; {warned}")


def sweep_finding(sweeps):
    """Return a sentence: how many ranks of some sweeps are the closed forms, and how many are open.

    Args:
        sweeps: list of what `experiments.sweeps.run_sweep` returns.
    """
    points = [point for rows in sweeps for row in rows for point in row]
    pairs = [pair for point in points for pair in zip(point.measured, point.predicted, strict=True)]
    equal = sum(found.rank == form for found, form in pairs)
    opened = sum(not found.trusted for found, _ in pairs)
    share = f"all {len(pairs)}" if equal == len(pairs) else f"{equal} of {len(pairs)}"
    counted = f"{share} ranks of the {len(sweeps)} sweep{'s' if len(sweeps) > 1 else ''} are the closed forms"
    if not opened:
        return _sentence(f"{counted}, and no rank is open")
    return _sentence(f"{opened} of {len(pairs)} ranks are open: as far as float64 shows, {counted}")


def sign_finding(measured, predicted):
    """Return a sentence: whether the signs of eigenvalues are those of the structure, and how many of H_L are negative.

    Args:
        measured, predicted: as in `figures.inertia_table`.
    """
    counted = [tuple(int((sign * found.spectrum > found.threshold).sum()) for sign in (1, -1)) for found in measured]
    pairs = zip(SYMBOLS, counted, predicted, strict=True)
    differ = [symbol for symbol, found, signs in pairs if found != (signs.positive, signs.negative)]
    if differ:
        return _sentence(f"float64 and the structure differ in the signs of {_listed(differ)}")
    negative, p = predicted.loss.negative, len(measured.loss.spectrum)
    return _sentence(
        f"float64 and the structure find the same signs in all three matrices: {negative} of the {p} eigenvalues of "
        "H_L are negative"
    )


def layer_finding(found):
    """Return a sentence: which layers have full rank in H_L on the diagonal, and how many ranks are open.

    Args:
        found: HessianTriple of `blocks.Blocks`.
    """
    blocks = found.loss
    layers = zip(blocks.layers, blocks.ranks, blocks.sizes, strict=True)
    full = [layer for layer, rank, size in layers if rank.rank == size]
    named = f" ({_listed(full)})" if 0 < len(full) <= 5 else ""
    text = f"the diagonal block of H_L has full rank in {len(full)} of {len(blocks.layers)} layers{named}"
    ranks = [rank for each in found for rank in each.ranks]
    opened = sum(not rank.trusted for rank in ranks)
    if not opened:
        return _sentence(f"{text}, and no rank is open")
    return _sentence(f"{opened} of {len(ranks)} ranks are open: as far as float64 shows, {text}")


# --- the parts of a sentence


def _place(rank, known, is_equality):
    if rank == known:
        return "equal"
    if rank > known:
        return "above"
    return "below" if is_equality else "bound"


def _clause(place, group, source, first):
    """Return what the ranks of a group are, beside the predicted ones of `source`."""
    symbols = [symbol for symbol, _, _ in group]
    ranks, known = [found.rank for _, found, _ in group], [form for _, _, form in group]
    many = len(group) > 1
    subject = "those of" if many else "that of"
    if first:
        subject = "the ranks of" if many else "the rank of"
    subject = _ALL if len(group) == 3 else f"{subject} {_listed(symbols)}"
    verb = "are" if many else "is"
    theirs = f"those of {source}" if many else f"that of {source}"
    if place == "equal":
        return f"{subject} {verb} {theirs}"
    off = _listed([abs(rank - form) for rank, form in zip(ranks, known, strict=True)])
    if place == "bound":
        bounds = "the upper bounds" if many else "the upper bound"
        return f"{subject} {verb} {off} below {bounds} ({_listed(ranks)}, at most {_listed(known)})"
    beside = theirs if first else "it"
    return f"{subject} {verb} {off} {place} {beside} ({_listed(ranks)} instead of {_listed(known)})"


def _opened(symbols, total):
    if len(symbols) == total:
        return f"{_ALL} are open"
    return f"the rank of {symbols[0]} is open" if len(symbols) == 1 else f"{len(symbols)} of {total} ranks are open"


def _vouched(grades):
    only = {"proved": "exact arithmetic proves all three", "clear": "all three are clear"}
    return only[min(grades)] if len(grades) == 1 else "no rank is open"


def _doubt(data_rank, exact, source):
    """Return what makes the r of the predicted ranks uncertain, or ''."""
    if data_rank is not None and exact not in (None, data_rank.rank):
        return f"; {source} has r = {data_rank.rank}, but the stored inputs have rank {exact}"
    return f"; {source} rests on an uncertain r" if exact is None and data_rank and not data_rank.trusted else ""


def _contradiction(refuting, data_rank):
    """Return what follows from ranks above an upper bound, or '' if there are none."""
    if not refuting:
        return ""
    unsure = "the formula" if data_rank else "the formula, or the r that it was given,"
    if all(found.grade == "proved" for _, found, _ in refuting):
        return f"; that contradicts an upper bound, so {unsure} does not fit this network"
    symbols = _listed([symbol for symbol, _, _ in refuting])
    return f"; that contradicts an upper bound, so the rank of {symbols} or {unsure} is wrong"


def _listed(values):
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


def _joined(clauses):
    *most, last = clauses
    return f"{', '.join(most)}, and {last}" if most else last


def _sentence(text):
    return textwrap.fill(f"{text[0].upper()}{text[1:]}.", _WIDTH)
