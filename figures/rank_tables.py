"""Tables and sentences about ranks for the notebooks: results in, text out."""

import math
import textwrap

import checks
from closed_forms.known import as_known
from exact import ExactRank
from figures.style import TEXT_NAMES
from figures.tables import text_table
from grades import proved
from hessians import SYMBOLS, HessianTriple, WithPenalty


def rank_list(measured, data_rank=None):
    """Return the numerical ranks with their gaps and grades, a line each, and why those that are open are.

    Args:
        measured: HessianTriple of NumericalRank, or of None for a matrix to be left out, or WithPenalty.
        data_rank: NumericalRank of the inputs X (n, d), from their singular values (`ranks.singular_rank`), for a first
            line. With biases, of the inputs less their mean.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from figures import rank_list
        >>> from hessians import HessianTriple
        >>> from ranks import numerical_rank, singular_rank
        >>> X = np.diag([2.0, 1.0, 0.0])
        >>> print(rank_list(HessianTriple(functional=None, outer=numerical_rank(X.T @ X), loss=None), singular_rank(X)))
        rank(X), r     =        2   gap 2e+15   clear
        rank(H_o)      =        2   gap 1e+15   open
        H_o is open: a matrix alone does not show what was lost when it was made; ranks.dense_ranks looks
           at the network
    """
    rows = [] if data_rank is None else [("X", "rank(X), r", data_rank)]
    three, others = divided(measured)
    named = [*zip(SYMBOLS, three, strict=True), *others]
    rows += [(symbol, f"rank({symbol})", found) for symbol, found in named if found is not None]
    width = max(14, *(len(name) for _, name, _ in rows))
    lines = [f"{name:<{width}} = {found.rank:>8,}   gap {found.gap:>5.0e}   {found.grade}" for _, name, found in rows]
    return "\n".join([*lines, *why_open([(symbol, found) for symbol, _, found in rows])])


def rank_table(measured, predicted, heading="closed form", data_rank=None, exact_data_rank=None, exact=None):
    """Return a text table of measured beside predicted ranks, with their grades, and why those that are open are.

    Args:
        measured: HessianTriple of NumericalRank, or WithPenalty. The predicted ranks are those without the penalty.
        predicted: HessianTriple of int, or `closed_forms.KnownRanks`. Of these, an upper bound has "<=" before it, and
            "below" in the column that says whether the two are equal, if it is not reached.
        heading: what the predicted ranks are.
        data_rank: NumericalRank of the inputs (`ranks.singular_rank`), the r of the closed forms, for a first row. If
            it is open, a sentence below says that r is uncertain.
        exact_data_rank: int, the rank of the stored inputs in exact arithmetic. If it is another one, sentences below
            say why. It needs `data_rank`.
        exact: HessianTriple of `exact.ExactRank`, for a column of their own. They are compared with the predicted ones,
            and all ranks are proved.

    Raises:
        TypeError: if `exact_data_rank` is not an integer.
        ValueError: if it is negative, exceeds the number of singular values, or comes without `data_rank`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from exact import ExactRank
        >>> from figures import rank_table
        >>> from hessians import HessianTriple
        >>> from ranks import numerical_rank
        >>> eigenvalues = [1.0, -1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 5e-15, 1e-15]
        >>> measured = HessianTriple(*(numerical_rank(np.diag(each)) for each in eigenvalues))
        >>> exact = HessianTriple(ExactRank(2), ExactRank(1), ExactRank(3))
        >>> print(rank_table(measured, HessianTriple(functional=2, outer=2, loss=3), exact=exact))
        matrix                    measured rank   exact rank     closed form   equal         gap    grade
        -------------------------------------------------------------------------------------------------
        functional Hessian  H_f               2            2               2     yes     4.5e+15   proved
        outer product       H_o               1            1               2      no     4.5e+15   proved
        loss Hessian        H_L               2            3               3     yes     5.0e+00   proved
    """
    form, true = max(16, len(heading) + 3), 13 if exact else 0
    lines = [
        f"{'matrix':<24}{'measured rank':>15}{'exact rank' if exact else '':>{true}}{heading:>{form}}{'equal':>8}"
        f"{'gap':>12}{'grade':>9}"
    ]
    lines.append("-" * len(lines[0]))
    exact = exact or HessianTriple(None, None, None)
    data_exact = None if exact_data_rank is None else ExactRank(checks.integer("exact_data_rank", exact_data_rank, 0))
    ranks, equalities = as_known(predicted)
    rows = [] if data_rank is None else [("r", f"{'data':<20}{'r':>3}", data_rank, data_exact, None, True)]
    three, others = divided(measured)
    rows += zip(SYMBOLS, TEXT_NAMES, three, exact, ranks, equalities, strict=True)
    rows += [(name, name, found, None, None, True) for name, found in others]
    graded = []
    for symbol, name, found, truth, known, is_equality in rows:
        best = found if truth is None else proved(found, truth)
        graded.append((symbol, best))
        equal = "" if known is None else _comparison(best.rank, known, is_equality)
        bound = "" if known is None else f"{'' if is_equality else '<= '}{known}"
        shown = truth.rank if true and truth is not None else ""
        lines.append(
            f"{name:<24}{found.rank:>15}{shown:>{true}}{bound:>{form}}{equal:>8}{found.gap:>12.1e}{best.grade:>9}"
        )
    return "\n".join([*lines, *why_open(graded), *_about_data(data_rank, exact_data_rank)])


def _comparison(rank, known, is_equality):
    if rank == known:
        return "yes"
    return "below" if rank < known and not is_equality else "no"


def divided(measured):
    """Return the HessianTriple without a penalty, and pairs of a name and a value for what a penalty adds."""
    if not isinstance(measured, WithPenalty):
        return measured, []
    three = HessianTriple(measured.functional, measured.outer, measured.without)
    return three, [("penalty", measured.penalty), ("H_L + penalty", measured.loss)]


def why_open(graded):
    """Return a sentence for every reason for which ranks are open.

    Args:
        graded: pairs of a symbol and a NumericalRank.
    """
    reasons = {}
    for symbol, found in graded:
        if not found.trusted:
            reasons.setdefault(found.reason, []).append(symbol)
    lines = []
    for reason, symbols in reasons.items():
        *most, last = symbols
        sentence = f"{', '.join(most)} and {last} are open: {reason}" if most else f"{last} is open: {reason}"
        lines += textwrap.wrap(sentence, width=97, subsequent_indent="   ")  # as wide as the table
    return lines


def exact_table(measured, exact, data_rank=None, exact_data_rank=None):
    """Return numerical ranks beside exact ones, a line each, with what vouches for the exact one: primes or digits.

    Args:
        measured: HessianTriple of NumericalRank.
        exact: HessianTriple of `exact.ExactRank`.
        data_rank, exact_data_rank: as in `rank_table`. If the two differ, sentences below say why.
    """
    lines = [
        f"{symbol}: numerical rank {found.rank}, exact rank {truth.rank}, {_evidence(truth)}"
        for symbol, found, truth in zip(SYMBOLS, measured, exact, strict=True)
    ]
    differ = data_rank is not None and data_rank.rank != exact_data_rank
    return "\n".join([*lines, *(_about_rounding(data_rank, exact_data_rank) if differ else [])])


def _evidence(exact):
    """Return in words what vouches for an ExactRank."""
    if exact.digits is None:
        return f"modulo the primes {exact.primes}"
    if exact.gap == math.inf:
        return f"with {exact.digits} digits: no pivot can be zero, and nothing else is left"
    return f"with {exact.digits} digits: all that is left is 10^{exact.gap:.0f} times smaller than a pivot"


def certificate_table(certificates):
    """Return closed forms beside exact ranks, and whether the two agree.

    Args:
        certificates: {name of a network: (closed forms, exact ranks), two HessianTriples of ints}.

    Example:
        >>> from closed_forms import linear_ranks
        >>> from figures import certificate_table
        >>> forms = linear_ranks(r=3, classes=2, units=[2])
        >>> print(certificate_table({"3-2-2": (forms, forms), "other weights": (forms, forms._replace(loss=9))}))
        network         closed forms (H_f, H_o, H_L)   exact ranks   attained
        ---------------------------------------------------------------------
        3-2-2                             (8, 6, 10)    (8, 6, 10)        yes
        other weights                     (8, 6, 10)     (8, 6, 9)         NO
    """
    rows = [
        [name, tuple(bound), tuple(attained), "yes" if bound == attained else "NO"]
        for name, (bound, attained) in certificates.items()
    ]
    return text_table(["network", "closed forms (H_f, H_o, H_L)", "exact ranks", "attained"], rows)


def spread_table(points, heading):
    """Return a text table of the ranges of the ranks over the seeds, a row for each value of a sweep.

    The last row holds the closed forms.

    Args:
        points: what `experiments.sweeps.run_sweep` returns, for a sweep over names.
        heading: of the first column.

    Raises:
        ValueError: if there are no points.
    """
    checks.filled(points=points)
    rows = []
    for row in points:
        ranges = []
        for found in zip(*(point.measured for point in row), strict=True):
            low, high = (extreme(each.rank for each in found) for extreme in (min, max))
            ranges.append(f"{low} to {high}" if low < high else f"{low}")
        gap = min(found.gap for point in row for found in point.measured)
        rows.append([f"  {row[0].value}", *ranges, row[0].parameters, f"{gap:.0e}"])
    rows.append(["  closed form, linear network", *points[0][0].predicted, "", ""])
    return text_table([heading, *SYMBOLS, "p", "smallest gap"], rows)


def summary(points):
    """Return a sentence: how many ranks of a sweep are the closed forms, their smallest gap, the spread over the seeds.

    Args:
        points: what `experiments.sweeps.run_sweep` returns.

    Raises:
        ValueError: if there are no points.
    """
    checks.filled(points=points)
    pairs = [pair for row in points for point in row for pair in zip(point.measured, point.predicted, strict=True)]
    spread = max(max(ranks) - min(ranks) for row in points for ranks in zip(*map(_ranks, row), strict=True))
    return (
        f"{sum(found.rank == bound for found, bound in pairs)} of {len(pairs)} ranks are the closed forms, "
        f"smallest gap {min(found.gap for found, _ in pairs):.0e}, "
        f"spread over {len(points[0])} seed{'s' if len(points[0]) > 1 else ''} at most {spread}"
    )


def _ranks(point):
    return [found.rank for found in point.measured]


def _about_data(found, exact):
    """Return sentences on the data's NumericalRank beside the exact rank. Either can be None, not known."""
    if exact is None:
        return [] if found is None or found.trusted else ["   So the closed forms rest on an uncertain r."]
    if found is None:
        raise ValueError("exact_data_rank stands beside the numerical rank of the data: pass data_rank too")
    if exact > len(found.spectrum):
        raise ValueError(
            f"exact_data_rank is {exact}, but data_rank has {len(found.spectrum)} singular values: pass both "
            "for the same inputs"
        )
    return [] if exact == found.rank else _about_rounding(found, exact)


def _about_rounding(found, exact):
    """Return sentences on a NumericalRank of the data that differs from the exact rank."""
    rank = found.rank
    sizes = abs(found.spectrum) / (abs(found.spectrum[0]) or 1.0)
    stored = f"r: the stored inputs have rank {exact} in exact arithmetic"
    if exact > rank:
        first = f"{stored}, {exact - rank} more."
        rest = f"at most {sizes[rank]:.0e} of the largest" if sizes[rank] else "0"
        beyond = f" beyond the first {rank}" if rank else ""
        why = f"The singular values{beyond} are {rest}: they can be rounding alone."
    else:
        first = f"{stored}, {rank - exact} less."
        why = f"Rounding has been counted: the last of {rank} is {sizes[rank - 1]:.0e} of the largest."
    return [first, f"   {why}", f"   Exact ranks of the Hessians rest on r = {exact}."]
