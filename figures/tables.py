"""Tables of costs, signs, errors and judgements for the notebooks, and of any rows: results in, text out."""

import itertools

import numpy as np

from counting import GRADES
from figures.panels import is_zero
from figures.style import TEXT_NAMES
from hessians import SYMBOLS
from linear_networks import structured_ranks
from ranks import truncation_errors


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


def truncation_table(measured, predicted):
    """Return the relative errors of the best approximations of given ranks, a row for each network.

    A zero matrix has no error at any rank, and the word 'zero' in its place.

    Args:
        measured: {name: HessianTriple of NumericalRank}.
        predicted: HessianTriple of int, the ranks of the approximations.
    """
    rows = []
    for name, found in measured.items():
        errors = []
        for each, k in zip(found, predicted, strict=True):
            errors.append("zero" if is_zero(each.spectrum) else f"{truncation_errors(each.spectrum)[k]:.0e}")
        rows.append([f"  {name}", *errors])
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
        gaps = " ".join(f"{found.gap:>5.0e}" for found in cost.result)
        took = f"{cost.seconds:.1f}", f"{1e-6 * (cost.peak - cost.before):.0f}"
        rows.append([label, p, *ranks, tuple(form), gaps, *took])
    return text_table(["width", "p", *SYMBOLS, "closed forms", "gaps", "seconds", "MB"], rows)


def structure_table(spectra, signs):
    """Return the ranks that follow from all eigenvalues, with their grades, beside those from the signs, a line each.

    Args:
        spectra: HessianTriple of `linear_networks.Spectrum`.
        signs: HessianTriple of `linear_networks.Inertia`.
    """
    rows = []
    for symbol, one, rank, count in zip(SYMBOLS, spectra, structured_ranks(spectra), signs, strict=True):
        evidence = f"{rank.gap:.0e}", rank.grade, f"{len(one.eigenvalues):,}", f"{count.rank:,}"
        rows.append([symbol, f"{rank.rank:,}", *evidence])
    return text_table(["matrix", "rank", "gap", "grade", "different eigenvalues", "rank from signs"], rows)


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
    networks = next(iter(points.values()))
    first = max(27, *(len(each.shape) for each in networks))
    second, third = (max(least, *(len(f"{each[i]:,}") + 3 for each in networks)) for least, i in ((11, 2), (9, 1)))
    widths = [max(22, len(label) + 3) for label in points]
    header = "".join(f"{label:>{width}}" for label, width in zip(points, widths, strict=True))
    lines = [f"{'negative eigenvalues of H_L':<{first}}{'p':>{second}}{'q M':>{third}}{header}"]
    for row in zip(*points.values(), strict=True):
        shape, product, p, _ = row[0]
        counts = "".join(f"{each.signs.negative:>{width},}" for each, width in zip(row, widths, strict=True))
        lines.append(f"{shape:<{first}}{p:>{second},}{product:>{third},}{counts}")
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


def grade_table(trials):
    """Return a text table: how many numerical ranks were right and wrong, by their grade.

    Args:
        trials: list of `numerical_vs_exact.Trial`. Those without an exact rank are left out.

    Example:
        >>> import numpy as np
        >>> from experiments.numerical_vs_exact import Trial
        >>> from figures import grade_table
        >>> found = {"numerical": 3, "gap": 1e5, "sizes": np.ones(3)}
        >>> settings = [("clear", 3), ("open", 3), ("open", 4), ("open", None)]
        >>> print(grade_table([Trial("", "loss", exact=exact, grade=grade, **found) for grade, exact in settings]))
        grade    matrices   right   wrong
        ---------------------------------
        proved          0       0       0
        clear           1       1       0
        open            2       1       1
        all             3       2       1
    """
    judged = [trial for trial in trials if trial.exact is not None]
    rows = []
    for grade, chosen in [*((name, [t for t in judged if t.grade == name]) for name in GRADES), ("all", judged)]:
        right = sum(trial.numerical == trial.exact for trial in chosen)
        rows.append([grade, len(chosen), right, len(chosen) - right])
    return text_table(["grade", "matrices", "right", "wrong"], rows)
