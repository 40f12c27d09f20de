"""Tables and sentences for the notebooks: results in, text out."""

import itertools

import numpy as np

from figures.style import TEXT_NAMES
from hessians import SYMBOLS
from linear_networks import structured_ranks
from ranks import WELL_DETERMINED, truncation_errors


def text_table(header, rows):
    """Return a text table: the first column to the left, the others to the right, a line under the header.

    Args:
        header: titles of the columns.
        rows: lists of as many values. Numbers and tuples are written as Python prints them.

    Example:
        >>> from figures import text_table
        >>> print(text_table(["network", "rank"], [["3-2", 6], ["3-20", 60]]))
        network   rank
        --------------
        3-2          6
        3-20        60
    """
    cells = [[str(value) for value in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        rest = zip(others, widths[1:], strict=True)
        lines.append(f"{first:<{widths[0]}}" + "".join(f"{cell:>{width + 3}}" for cell, width in rest))
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def rank_list(measured, data_rank=None):
    """Return the numerical ranks with their gaps, a line each.

    Args:
        measured: HessianTriple of NumericalRank, or of None for a matrix to be left out.
        data_rank: NumericalRank of the inputs, for a first line.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from figures import rank_list
        >>> from hessians import HessianTriple
        >>> from ranks import numerical_rank
        >>> clear, doubtful = numerical_rank(np.diag([2.0, 1.0, 0.0])), numerical_rank(np.diag([1.0, 5e-15, 1e-15]))
        >>> print(rank_list(HessianTriple(functional=doubtful, outer=clear, loss=None)))
        rank(H_f)      =        2   gap 5e+00   not well determined
        rank(H_o)      =        2   gap 2e+15   well determined
    """
    rows = [] if data_rank is None else [("rank(Sigma), r", data_rank)]
    rows += [(f"rank({symbol})", found) for symbol, found in zip(SYMBOLS, measured, strict=True) if found is not None]
    lines = []
    for name, found in rows:
        said = "well determined" if found.well_determined else "not well determined"
        lines.append(f"{name:<14} = {found.rank:>8,}   gap {found.gap:.0e}   {said}")
    return "\n".join(lines)


def rank_table(measured, predicted, heading="closed form"):
    """Return a text table of measured beside predicted ranks. A star marks gaps too small for a trustworthy rank.

    Args:
        measured: HessianTriple of NumericalRank.
        predicted: HessianTriple of int.
        heading: what the predicted ranks are.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from figures import rank_table
        >>> from hessians import HessianTriple
        >>> from ranks import numerical_rank
        >>> eigenvalues = [1.0, -1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 5e-15, 1e-15]
        >>> measured = HessianTriple(*(numerical_rank(np.diag(each)) for each in eigenvalues))
        >>> print(rank_table(measured, HessianTriple(functional=2, outer=2, loss=2)))
        matrix                    measured rank     closed form   equal         gap
        ---------------------------------------------------------------------------
        functional Hessian  H_f               2               2     yes     4.5e+15
        outer product       H_o               1               2      no     4.5e+15
        loss Hessian        H_L               2               2     yes     5.0e+00 *
        * a gap below 1e+09: rounding may have decided; exact_rank.ipynb shows how to know
    """
    lines = [f"{'matrix':<24}{'measured rank':>15}{heading:>16}{'equal':>8}{'gap':>12}"]
    for name, found, bound in zip(TEXT_NAMES, measured, predicted, strict=True):
        equal = "yes" if found.rank == bound else "no"
        star = "" if found.well_determined else " *"
        lines.append(f"{name:<24}{found.rank:>15}{bound:>16}{equal:>8}{found.gap:>12.1e}{star}")
    lines.insert(1, "-" * len(lines[0]))
    if not all(found.well_determined for found in measured):
        lines.append(
            f"* a gap below {WELL_DETERMINED:.0e}: rounding may have decided; exact_rank.ipynb shows how to know"
        )
    return "\n".join(lines)


def exact_table(measured, exact):
    """Return numerical ranks beside exact ones, a line each.

    Args:
        measured: HessianTriple of NumericalRank.
        exact: HessianTriple of `exact.ExactRank`.
    """
    return "\n".join(
        f"{symbol}: numerical rank {found.rank}, exact rank {truth.rank}, modulo the primes {truth.primes}"
        for symbol, found, truth in zip(SYMBOLS, measured, exact, strict=True)
    )


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
    """
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


def truncation_table(measured, predicted):
    """Return the relative errors of the best approximations of given ranks, a row for each network.

    Args:
        measured: {name: HessianTriple of NumericalRank}.
        predicted: HessianTriple of int, the ranks of the approximations.
    """
    rows = []
    for name, found in measured.items():
        errors = (truncation_errors(each.spectrum)[k] for each, k in zip(found, predicted, strict=True))
        rows.append([f"  {name}", *(f"{error:.0e}" for error in errors)])
    return text_table(["error at the rank of the linear network", *SYMBOLS], rows)


def cost_table(costs, predicted):
    """Return a text table of what ranks cost, a row for each network.

    Args:
        costs: {label: (p, `experiments.cost.Cost` with a HessianTriple of NumericalRank as its result)}.
        predicted: HessianTriple of ints for each network.
    """
    rows = []
    for (label, (p, cost)), form in zip(costs.items(), predicted, strict=True):
        ranks = [found.rank for found in cost.result]
        gaps = " ".join(f"{found.gap:.0e}" for found in cost.result)
        took = f"{cost.seconds:.1f}", f"{1e-6 * (cost.peak - cost.before):.0f}"
        rows.append([label, p, *ranks, tuple(form), gaps, *took])
    return text_table(["width", "p", *SYMBOLS, "closed forms", "gaps", "seconds", "MB"], rows)


def structure_table(spectra, signs):
    """Return the ranks that follow from all eigenvalues beside those from the signs, a line each.

    Args:
        spectra: HessianTriple of `linear_networks.Spectrum`.
        signs: HessianTriple of `linear_networks.Inertia`.
    """
    rows = []
    for symbol, one, rank, count in zip(SYMBOLS, spectra, structured_ranks(spectra), signs, strict=True):
        rows.append([symbol, f"{rank.rank:,}", f"{rank.gap:.0e}", f"{len(one.eigenvalues):,}", f"{count.rank:,}"])
    return text_table(["matrix", "rank", "gap", "different eigenvalues", "rank from signs"], rows)


def inertia_table(measured, predicted):
    """Return a text table of the signs of computed eigenvalues, beside those that follow from the structure.

    Args:
        measured: HessianTriple of `ranks.NumericalRank` with all eigenvalues.
        predicted: HessianTriple of Inertia.
    """
    lines = [f"{'eigenvalues':<24}{'> 0':>8}{'< 0':>8}{'= 0':>8}{'from the structure':>24}{'equal':>8}{'margin':>10}"]
    lines.append("-" * len(lines[0]))
    for name, found, signs in zip(TEXT_NAMES, measured, predicted, strict=True):
        counted = [int((sign * found.spectrum > found.threshold).sum()) for sign in (1, -1)]
        counted.append(len(found.spectrum) - sum(counted))
        equal = "yes" if counted == list(signs[:3]) else "no"
        columns = "".join(f"{count:>8}" for count in counted)
        lines.append(f"{name:<24}{columns}{', '.join(map(str, signs[:3])):>24}{equal:>8}{signs.margin:>10.0e}")
    return "\n".join(lines)


def negatives_table(points):
    """Return a text table of the numbers of negative eigenvalues of H_L for networks of many shapes.

    Args:
        points: {label: list of `linear_networks.Descent`}, every list for the same shapes.
    """
    lines = [f"{'negative eigenvalues of H_L':<27}{'p':>11}{'q M':>9}" + "".join(f"{label:>22}" for label in points)]
    for row in zip(*points.values(), strict=True):
        shape, product, p, _ = row[0]
        lines.append(f"{shape:<27}{p:>11,}{product:>9,}" + "".join(f"{each.signs.negative:>22,}" for each in row))
    margin = min(each.signs.margin for column in points.values() for each in column)
    return "\n".join([*lines, f"smallest margin: {margin:.0e}"])


def judgement_table(trials):
    """Return a text table: how many numerical ranks were right, too low and too high, by the size of their gap.

    Args:
        trials: list of `numerical_vs_exact.Trial`. Those without an exact rank are counted in the last line.
    """
    judged = [trial for trial in trials if trial.exact is not None]
    edges = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, np.inf]
    lines = [f"{'gap':<18}{'matrices':>10}{'right':>8}{'too low':>10}{'too high':>10}"]
    rows = [("all", judged)]
    for low, high in itertools.pairwise(edges):
        label = f"{low:.0e} to {high:.0e}" if high < np.inf else f"{low:.0e} and more"
        # Gaps are at least 1. The last range also holds the infinite gaps of zero matrices.
        rows.append((label, [t for t in judged if low <= t.gap < high or (high == np.inf and t.gap == np.inf)]))
    for label, chosen in rows[1:] + rows[:1]:
        differences = np.array([trial.numerical - trial.exact for trial in chosen], int)
        counts = len(chosen), (differences == 0).sum(), (differences < 0).sum(), (differences > 0).sum()
        lines.append(f"{label:<18}{counts[0]:>10}{counts[1]:>8}{counts[2]:>10}{counts[3]:>10}")
    lines.insert(1, "-" * len(lines[0]))
    lines.insert(-1, lines[1])
    return "\n".join([*lines, f"no Hessian, a unit being on its kink: {len(trials) - len(judged)}"])


def summary(points):
    """Return a sentence: how many ranks of a sweep are the closed forms, their smallest gap, the spread over the seeds.

    Args:
        points: what `experiments.sweeps.run_sweep` returns.
    """
    pairs = [pair for row in points for point in row for pair in zip(point.measured, point.predicted, strict=True)]
    spread = max(max(ranks) - min(ranks) for row in points for ranks in zip(*map(_ranks, row), strict=True))
    return (
        f"{sum(found.rank == bound for found, bound in pairs)} of {len(pairs)} ranks are the closed forms, "
        f"smallest gap {min(found.gap for found, _ in pairs):.0e}, "
        f"spread over {len(points[0])} seed{'s' if len(points[0]) > 1 else ''} at most {spread}"
    )


def _ranks(point):
    return [found.rank for found in point.measured]
