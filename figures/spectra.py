"""Pictures of the cliff in a spectrum, from which a rank is read: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np

from figures.panels import ZERO, comparable, is_zero, say, whole_log_ticks, whole_ticks, without_ticks
from figures.style import COLORS, NAMES

_FLOOR = np.finfo(float).eps ** 1.5  # where exact zeros are drawn, relative to the largest: well below rounding errors


def plot_spectra(measured, predicted, heading="closed form"):
    """Draw the sorted |eigenvalues| of the three matrices on a log axis, each with its threshold and predicted rank.

    The panel of a zero matrix says so, and shows its predicted rank alone. The others share their vertical axis, unless
    their largest |eigenvalues| are more than a factor of 1e10 apart.

    Args:
        measured: HessianTriple of NumericalRank.
        predicted: HessianTriple of int.
        heading: name of the predicted ranks, for the legend.

    Returns:
        Array of three matplotlib axes.
    """
    shared = comparable([abs(found.spectrum[0]) for found in measured])
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=shared)
    for axis, found, bound, color, name in zip(axes, measured, predicted, COLORS, NAMES, strict=True):
        sizes = abs(found.spectrum)
        axis.set_yscale("log")
        if is_zero(sizes):
            axis.set_xlim(*_range(len(sizes), bound))
            say(axis, ZERO)
            axis.set_title(f"{name}\nrank 0, the matrix is zero", fontsize=11)
            if not shared:
                without_ticks(axis.yaxis)
        else:
            floor = _floor(sizes, found.threshold)
            index = np.arange(1, len(sizes) + 1)
            style = dict(color=color, markersize=4 if len(sizes) > 30 else 8)
            axis.plot(index, np.maximum(sizes, floor), ".", **style, label=r"$|\lambda_i|$")
            axis.axhline(max(found.threshold, floor), color="0.35", linestyle="--", linewidth=1, label="threshold")
            axis.set_title(f"{name}\nrank {found.rank}, gap {found.gap:.0e}, {found.grade}", fontsize=11)
        axis.axvline(bound + 0.5, color="black", linestyle=":", linewidth=1.5, label=f"{heading}: {bound}")
        axis.set_xlabel("index $i$")
        whole_ticks(axis.xaxis)
        axis.grid(alpha=0.25)
        axis.legend(loc=_free_corner(found), fontsize=9)
    axes[0].set_ylabel(r"$|\lambda_i|$, sorted")
    figure.suptitle("The cliff in each spectrum, and where the theory puts it", fontsize=12)
    figure.tight_layout()
    return axes


def plot_exact_spectrum(found, exact, name):
    """Draw the sorted |eigenvalues| of one matrix, with the threshold and the exact rank.

    For a zero matrix, the picture says so and shows the exact rank alone.

    Args:
        found: NumericalRank.
        exact: int, the exact rank.
        name: title.

    Returns:
        The matplotlib axes.
    """
    figure, axis = plt.subplots(figsize=(9, 4.4))
    sizes = abs(found.spectrum)
    index = np.arange(1, len(sizes) + 1)
    axis.set_yscale("log")
    if is_zero(sizes):
        axis.set_xlim(*_range(len(sizes), exact))
        # Eigenvalues that are not zero can still be smaller than any float64.
        say(axis, "all computed eigenvalues are 0" if exact else ZERO)
        without_ticks(axis.yaxis)
        evidence = "the matrix is zero" if exact == 0 else "no eigenvalue but 0"
    else:
        floor = _floor(sizes, found.threshold)
        drawn = np.maximum(sizes, floor)
        lost, counted = (index > found.rank) & (index <= exact), index <= min(found.rank, exact)
        for chosen, mark, color, label in (
            (counted, ".", COLORS.functional, "nonzero, and counted"),
            (lost, "D", COLORS.outer, "nonzero, but below the threshold"),
            (index > exact, ".", "0.6", "zero, but for rounding"),
        ):
            label = label if chosen.any() else None
            axis.plot(
                index[chosen], drawn[chosen], mark, color=color, markersize=6 if len(sizes) > 30 else 8, label=label
            )
        axis.axhline(max(found.threshold, floor), color="0.35", linestyle="--", linewidth=1, label="threshold")
        evidence = f"gap {found.gap:.0e}, {found.grade}"
    axis.axvline(exact + 0.5, color="black", linestyle=":", linewidth=1.5, label=f"exact rank: {exact}")
    axis.set(xlabel="index $i$", ylabel=r"$|\lambda_i|$, sorted")
    axis.set_title(f"{name}: numerical rank {found.rank}, {evidence}", fontsize=11)
    whole_ticks(axis.xaxis)
    axis.grid(alpha=0.25)
    axis.legend(loc=_free_corner(found), fontsize=9)
    figure.tight_layout()
    return axis


def plot_judgement(trials):
    """Draw, for every matrix of a survey, its smallest nonzero eigenvalue and the largest of those that should be zero.

    Args:
        trials: list of `numerical_vs_exact.Trial`. Those without an exact rank are left out, and so are matrices whose
            computed eigenvalues are all 0. If none is left, the picture says so.

    Returns:
        The matplotlib axes. The horizontal one is p, the vertical one |eigenvalue| over the largest.
    """
    trials = [trial for trial in trials if trial.exact is not None and not is_zero(trial.sizes)]
    figure, axis = plt.subplots(figsize=(9, 4.8))
    axis.set(
        xscale="log", yscale="log", xlabel="number of parameters $p$", ylabel=r"$|\lambda| \, / \, \max_j |\lambda_j|$"
    )
    axis.set_title("What the threshold has to tell apart", fontsize=11)
    if not trials:
        say(axis, "no matrix to judge:\nnone has an exact rank and nonzero eigenvalues")
        without_ticks(axis.xaxis, axis.yaxis)
        figure.tight_layout()
        return axis
    p = np.array([len(trial.sizes) for trial in trials])
    # Beyond both ends are NaN: there is no smallest nonzero eigenvalue if the exact rank is 0, no zero if it is p.
    padded = [np.concatenate([[np.nan], trial.sizes, [np.nan]]) for trial in trials]
    smallest, rest = (
        np.maximum([sizes[trial.exact + after] for sizes, trial in zip(padded, trials, strict=True)], _FLOOR)
        for after in (0, 1)
    )
    spread = (
        p * np.exp(0.02 * np.array([0, -1, 1, -2, 2, -3, 3]))[np.arange(len(p)) % 7]
    )  # many networks have the same p
    style = dict(markersize=4)
    axis.plot(spread, smallest, ".", color=COLORS.functional, label="smallest nonzero eigenvalue", **style)
    axis.plot(spread, rest, ".", color=COLORS.outer, label="largest zero, by rounding", **style)
    wrong = np.array([trial.numerical != trial.exact for trial in trials])
    circled = np.where(np.isnan(smallest), rest, smallest)[wrong]
    axis.plot(spread[wrong], circled, "o", color="black", fillstyle="none", label="numerical rank wrong")
    line, eps = np.array([p.min() * 0.9, p.max() * 1.1]), np.finfo(float).eps
    threshold = np.maximum(10, np.sqrt(line)) * eps
    axis.plot(line, threshold, "--", color="0.35", label=r"threshold $\max(10, \sqrt{p})\,\varepsilon$")
    axis.plot(line, line * eps, ":", color="0.35", label=r"NumPy's threshold $p\,\varepsilon$")
    whole_log_ticks(axis.xaxis, p)
    axis.grid(alpha=0.25)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    figure.tight_layout()
    return axis


def _floor(sizes, threshold):
    """Return where exact zeros are drawn on a log axis: well below the rounding errors of the largest.

    The threshold of squared singular values lies lower still.
    """
    return max(min(_FLOOR * sizes[0], 0.01 * threshold or np.inf), np.finfo(float).tiny)


def _range(p, bound):
    """Return the limits of a horizontal axis for the indices 1 to p and a line right of `bound`."""
    first, last = min(1, bound + 0.5), max(p, bound + 0.5)
    return first - 0.05 * (last - first), last + 0.05 * (last - first)


def _free_corner(found):
    """Return the corner of a picture of sorted |eigenvalues| where a legend covers none of them.

    Left of the cliff, they are at the top, and right of it at the bottom.
    """
    return "upper right" if found.rank < len(found.spectrum) / 2 else "lower left"
