"""Pictures of eigenvalues: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

from figures.style import COLORS, LINES, NAMES, NEGATIVE, PALETTE
from ranks import truncation_errors


def plot_spectra(measured, predicted, heading="closed form"):
    """Draw the sorted |eigenvalues| of the three matrices on a log axis, each with its threshold and predicted rank.

    Args:
        measured: HessianTriple of NumericalRank.
        predicted: HessianTriple of int.
        heading: name of the predicted ranks, for the legend.

    Returns:
        Array of three matplotlib axes.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True)
    for axis, found, bound, color, name in zip(axes, measured, predicted, COLORS, NAMES, strict=True):
        sizes = abs(found.spectrum)
        floor = _floor(sizes)
        index = np.arange(1, len(sizes) + 1)
        axis.semilogy(index, np.maximum(sizes, floor), ".", color=color, markersize=4, label=r"$|\lambda_i|$")
        axis.axhline(max(found.threshold, floor), color="0.35", linestyle="--", linewidth=1, label="threshold")
        axis.axvline(bound + 0.5, color="black", linestyle=":", linewidth=1.5, label=f"{heading}: {bound}")
        axis.set_title(f"{name}\nrank {found.rank}, gap {found.gap:.0e}", fontsize=11)
        axis.set_xlabel("index $i$")
        axis.grid(alpha=0.25)
        axis.legend(loc="lower left", fontsize=9)
    axes[0].set_ylabel(r"$|\lambda_i|$, sorted")
    figure.suptitle("The cliff in each spectrum, and where the theory puts it", fontsize=12)
    figure.tight_layout()
    return axes


def _floor(sizes):
    """Return where exact zeros are drawn on a log axis: well below the rounding errors of the largest."""
    return max(np.finfo(float).eps ** 1.5 * sizes[0], np.finfo(float).tiny)


def plot_exact_spectrum(found, exact, name):
    """Draw the sorted |eigenvalues| of one matrix, with the threshold and the exact rank.

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
    lost, counted = (index > found.rank) & (index <= exact), index <= min(found.rank, exact)
    drawn = np.maximum(sizes, _floor(sizes))
    axis.semilogy(index[counted], drawn[counted], ".", color=COLORS.functional, label="nonzero, and counted")
    axis.semilogy(
        index[lost], drawn[lost], "D", color=COLORS.outer, markersize=6, label="nonzero, but below the threshold"
    )
    axis.semilogy(index[index > exact], drawn[index > exact], ".", color="0.6", label="zero, but for rounding")
    axis.axhline(found.threshold, color="0.35", linestyle="--", linewidth=1, label="threshold")
    axis.axvline(exact + 0.5, color="black", linestyle=":", linewidth=1.5, label=f"exact rank: {exact}")
    axis.set(xlabel="index $i$", ylabel=r"$|\lambda_i|$, sorted")
    axis.set_title(f"{name}: numerical rank {found.rank}, gap {found.gap:.0e}", fontsize=11)
    axis.grid(alpha=0.25)
    axis.legend(loc="lower left", fontsize=9)
    figure.tight_layout()
    return axis


def plot_judgement(trials):
    """Draw, for every matrix of a survey, its smallest nonzero eigenvalue and the largest of those that should be zero.

    Args:
        trials: list of `numerical_vs_exact.Trial`. Those without an exact rank are left out.

    Returns:
        The matplotlib axes. The horizontal one is p, the vertical one |eigenvalue| over the largest.
    """
    trials = [trial for trial in trials if trial.exact is not None and trial.sizes[0] > 0]
    p = np.array([len(trial.sizes) for trial in trials])
    smallest = np.array([trial.sizes[trial.exact - 1] for trial in trials])
    rest = np.array([trial.sizes[trial.exact] if trial.exact < len(trial.sizes) else np.nan for trial in trials])
    spread = p * np.exp(np.linspace(-0.06, 0.06, 7))[np.arange(len(p)) % 7]  # many networks have the same p
    figure, axis = plt.subplots(figsize=(9, 4.8))
    axis.loglog(spread, smallest, ".", color=COLORS.functional, markersize=4, label="smallest nonzero eigenvalue")
    axis.loglog(
        spread,
        np.maximum(rest, np.finfo(float).eps ** 1.5),
        ".",
        color=COLORS.outer,
        markersize=4,
        label="largest zero, by rounding",
    )
    wrong = np.array([trial.numerical != trial.exact for trial in trials])
    axis.loglog(spread[wrong], smallest[wrong], "o", color="black", fillstyle="none", label="numerical rank wrong")
    line = np.array([p.min() * 0.9, p.max() * 1.1])
    eps = np.finfo(float).eps
    axis.loglog(
        line,
        np.maximum(10, np.sqrt(line)) * eps,
        "--",
        color="0.35",
        label=r"threshold $\max(10, \sqrt{p})\,\varepsilon$",
    )
    axis.loglog(line, line * eps, ":", color="0.35", label=r"NumPy's threshold $p\,\varepsilon$")
    axis.set_xticks([50, 100, 200, 500], ["50", "100", "200", "500"])
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(xlabel="number of parameters $p$", ylabel=r"$|\lambda| \, / \, \max_j |\lambda_j|$")
    axis.set_title("What the threshold has to tell apart", fontsize=11)
    axis.grid(alpha=0.25)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    figure.tight_layout()
    return axis


def plot_truncation(measured, predicted):
    """Draw the relative error of the best approximation of rank k of the three matrices against k.

    Args:
        measured: {name: HessianTriple of NumericalRank}, a line each.
        predicted: HessianTriple of int. Vertical lines mark these ranks.

    Returns:
        Array of three matplotlib axes.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.8), sharey=True)
    for i, (axis, title, bound) in enumerate(zip(axes, NAMES, predicted, strict=True)):
        for (name, found), color, line in zip(measured.items(), PALETTE, LINES, strict=False):
            errors = np.maximum(truncation_errors(found[i].spectrum), 1e-17)
            axis.semilogy(errors, color=color, linestyle=line, linewidth=1.4, label=name)
        axis.axvline(bound, color="black", linestyle=":", linewidth=1.5, label="closed form, linear network")
        axis.set(xlabel="rank $k$ of the approximation", ylim=(1e-17, 3), title=f"{title}, $k = {bound}$")
        axis.title.set_fontsize(11)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel(r"$\|\mathbf{H} - \mathbf{H}_k\|_F \, / \, \|\mathbf{H}\|_F$")
    figure.suptitle("How much of each Hessian lies outside its best approximation of rank $k$", fontsize=12)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=9, frameon=False)
    return axes


def plot_shape(rows, outliers, bins=40):
    """Draw how many eigenvalues there are of each size, the positive ones upwards and the negative ones downwards.

    Args:
        rows: {title: HessianTriple of NumericalRank}, a row of three panels each. Eigenvalues that are not counted in
            the rank are left out of the histogram. The titles count all.
        outliers: how many of the largest |eigenvalues| to mark.
        bins: number of bins, over the range of all rows.

    Returns:
        (rows, 3) array of matplotlib axes.
    """
    counted = {title: [found.spectrum[: found.rank] for found in each] for title, each in rows.items()}
    sizes = np.concatenate([abs(spectrum) for each in counted.values() for spectrum in each])
    edges = np.geomspace(0.9 * sizes.min(), 1.1 * sizes.max(), bins + 1)
    figure, axes = plt.subplots(len(rows), 3, figsize=(12, 3.6 * len(rows) + 0.6), sharex=True, sharey=True)
    axes = np.reshape(axes, (len(rows), 3))
    for row, (title, spectra) in zip(axes, counted.items(), strict=True):
        for axis, spectrum, name, each in zip(row, spectra, NAMES, rows[title], strict=True):
            positive, negative = spectrum[spectrum > 0], -spectrum[spectrum < 0]
            for values, sign, color, label in (
                (positive, 1, COLORS.functional, "positive"),
                (negative, -1, NEGATIVE, "negative"),
            ):
                heights = sign * np.histogram(values, edges)[0]
                axis.stairs(heights, edges, fill=True, color=color, alpha=0.85, label=f"{label} eigenvalues")
            axis.axhline(0, color="black", linewidth=0.8)
            if len(spectrum) > outliers:
                border = np.sqrt(abs(spectrum[outliers - 1] * spectrum[outliers]))
                axis.axvline(
                    border, color="black", linestyle=":", linewidth=1.5, label=f"the {outliers} largest: right of this"
                )
            zeros = len(each.spectrum) - each.rank
            axis.set_title(f"{name}\n{len(positive)} positive, {len(negative)} negative, {zeros} zero", fontsize=10)
            axis.set_xscale("log")
            axis.grid(alpha=0.25)
        row[0].set_ylabel(f"{title}\nnumber, negative downwards")
    for axis in axes[-1]:
        axis.set_xlabel(r"$|\lambda_i|$")
    figure.suptitle("Bulk and outliers", fontsize=12)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower center", ncols=3, fontsize=9, frameon=False)
    return axes


def plot_agreement(dense, structured):
    """Draw structured eigenvalues over dense ones, in decreasing order, and below them the differences of the two.

    Args:
        dense: HessianTriple of all eigenvalues (p,).
        structured: HessianTriple of `linear_networks.Spectrum`.

    Returns:
        Array (2, 3) of matplotlib axes.
    """
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.2), sharex=True, sharey="row", height_ratios=[2, 1])
    for column, values, found, color, name in zip(axes.T, dense, structured, COLORS, NAMES, strict=True):
        values = np.sort(values)[::-1]
        repeated = np.repeat(found.eigenvalues, found.multiplicities)
        index, largest = np.arange(1, len(values) + 1), abs(values).max()
        column[0].plot(index, values, "o", color="0.6", markersize=5, label="dense: eigenvalues of the matrix")
        column[0].plot(index, repeated, ".", color=color, markersize=3, label="from the structure")
        column[0].set_yscale("symlog", linthresh=10 ** np.floor(np.log10(1e-3 * largest)), linscale=1)
        differences = np.maximum(abs(repeated - values) / largest, 1e-18)
        column[1].semilogy(index, differences, ".", color=color, markersize=3)
        column[1].axhline(np.finfo(float).eps, color="0.35", linestyle="--", linewidth=1, label=r"$\varepsilon$")
        column[0].set_title(name, fontsize=11)
        column[0].legend(loc="upper right", fontsize=8)
        column[1].set_xlabel("index $i$, in decreasing order")
        for axis in column:
            axis.grid(alpha=0.25)
    axes[1, 0].legend(loc="lower left", fontsize=9)
    axes[0, 0].set_ylabel(r"$\lambda_i$")
    axes[1, 0].set_ylabel(r"difference $/ \max_j |\lambda_j|$")
    figure.suptitle("Eigenvalue by eigenvalue: dense and from the structure", fontsize=12)
    figure.tight_layout()
    return axes


def plot_spectrum(spectra, heading):
    """Draw the positive and the negative eigenvalues of the three matrices, sorted by size, against their number.

    Args:
        spectra: HessianTriple of `linear_networks.Spectrum`.
        heading: the figure's title.

    Returns:
        Array of three matplotlib axes.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), sharey=True)
    for axis, found, color, name in zip(axes, spectra, COLORS, NAMES, strict=True):
        threshold = 1e-14 * abs(found.eigenvalues).max()
        total = 0
        for sign, style, label in ((1, "-", "positive"), (-1, "--", "negative")):
            chosen = sign * found.eigenvalues > threshold
            order = np.argsort(-abs(found.eigenvalues[chosen]))
            values, copies = abs(found.eigenvalues[chosen])[order], found.multiplicities[chosen][order]
            total += copies.sum()
            if len(values):
                last = np.cumsum(copies)
                # A step from the first copy of each eigenvalue to its last.
                steps = np.stack([last - copies + 1, last], axis=1).ravel(), np.repeat(values, 2)
                axis.loglog(*steps, style, color=color if sign > 0 else "black", label=f"{last[-1]:,} {label}")
        axis.set_title(f"{name}\n{found.multiplicities.sum() - total:,} zeros", fontsize=11)
        axis.set_xlabel("index $i$, by size, each sign for itself")
        axis.grid(alpha=0.25)
        axis.legend(loc="lower left", fontsize=9)
    axes[0].set_ylabel(r"$|\lambda_i|$")
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout()
    return axes
