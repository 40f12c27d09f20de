"""Tables and sentences for the notebooks: results in, text out."""

import itertools

import numpy as np

from hessians import HessianTriple
from ranks import WELL_DETERMINED


def rank_table(measured, predicted, heading="closed form"):
    """Return a text table of measured beside predicted ranks; a star marks gaps too small for a trustworthy rank.

    Args:
        measured: HessianTriple of NumericalRank.
        predicted: HessianTriple of int.
        heading: what the predicted ranks are.
    """
    names = HessianTriple("functional Hessian  H_f", "outer product       H_o", "loss Hessian        H_L")
    lines = [f"{'matrix':<24}{'measured rank':>15}{heading:>16}{'equal':>8}{'gap':>12}"]
    for name, found, bound in zip(names, measured, predicted, strict=True):
        equal = "yes" if found.rank == bound else "no"
        star = "" if found.well_determined else " *"
        lines.append(f"{name:<24}{found.rank:>15}{bound:>16}{equal:>8}{found.gap:>12.1e}{star}")
    lines.insert(1, "-" * len(lines[0]))
    if not all(found.well_determined for found in measured):
        lines.append(
            f"* a gap below {WELL_DETERMINED:.0e}: rounding may have decided; exact_rank.ipynb shows how to know"
        )
    return "\n".join(lines)


def inertia_table(measured, predicted):
    """Return a text table of the signs of computed eigenvalues, beside those that follow from the structure.

    Args:
        measured: HessianTriple of `ranks.NumericalRank` with all eigenvalues.
        predicted: HessianTriple of Inertia.
    """
    names = HessianTriple("functional Hessian  H_f", "outer product       H_o", "loss Hessian        H_L")
    lines = [f"{'eigenvalues':<24}{'> 0':>8}{'< 0':>8}{'= 0':>8}{'from the structure':>24}{'equal':>8}{'margin':>10}"]
    lines.append("-" * len(lines[0]))
    for name, found, signs in zip(names, measured, predicted, strict=True):
        counted = [int((sign * found.spectrum > found.threshold).sum()) for sign in (1, -1)]
        counted.append(len(found.spectrum) - sum(counted))
        equal = "yes" if counted == list(signs[:3]) else "no"
        columns = "".join(f"{count:>8}" for count in counted)
        lines.append(f"{name:<24}{columns}{', '.join(map(str, signs[:3])):>24}{equal:>8}{signs.margin:>10.0e}")
    return "\n".join(lines)


def negatives_table(points):
    """Return a text table of the numbers of negative eigenvalues of H_L for networks of many shapes.

    Args:
        points: {label: list of (shape, q M, p, Inertia of H_L)}, each list for the same networks; shape is a text.
    """
    lines = [f"{'negative eigenvalues of H_L':<27}{'p':>11}{'q M':>9}" + "".join(f"{label:>22}" for label in points)]
    for row in zip(*points.values(), strict=True):
        shape, product, p, _ = row[0]
        lines.append(f"{shape:<27}{p:>11,}{product:>9,}" + "".join(f"{signs.negative:>22,}" for *_, signs in row))
    margin = min(signs.margin for column in points.values() for *_, signs in column)
    return "\n".join([*lines, f"smallest margin: {margin:.0e}"])


def judgement_table(trials):
    """Return a text table: how many numerical ranks were right, too low and too high, by the size of their gap."""
    judged = [trial for trial in trials if trial.exact is not None]
    edges = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, np.inf]
    lines = [f"{'gap':<18}{'matrices':>10}{'right':>8}{'too low':>10}{'too high':>10}"]
    rows = [("all", judged)]
    for low, high in itertools.pairwise(edges):
        label = f"{low:.0e} to {high:.0e}" if high < np.inf else f"{low:.0e} and more"
        # gaps are at least 1; the last range holds the zero matrices' infinite ones
        rows.append((label, [t for t in judged if low <= t.gap < high or (high == np.inf and t.gap == np.inf)]))
    for label, chosen in rows[1:] + rows[:1]:
        differences = np.array([trial.numerical - trial.exact for trial in chosen], int)
        counts = len(chosen), (differences == 0).sum(), (differences < 0).sum(), (differences > 0).sum()
        lines.append(f"{label:<18}{counts[0]:>10}{counts[1]:>8}{counts[2]:>10}{counts[3]:>10}")
    lines.insert(1, "-" * len(lines[0]))
    lines.insert(-1, lines[1])
    return "\n".join([*lines, f"no Hessian, a unit being on its kink: {len(trials) - len(judged)}"])


def summary(points):
    """Return a sentence: how many measured ranks are the closed forms, their smallest gap, the spread over the seeds.

    Args:
        points: what `run_sweep` returns.
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
