"""Pictures of ranks and spectra beyond the closed forms: while training, truncated, and in two halves."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from plots import COLORS, NAMES
from ranks import WELL_DETERMINED, truncation_errors

_NEGATIVE = "#CC79A7"  # of the same palette
_LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]


def plot_training(runs, heading):
    """Draw, against the step of training, the three ranks, their gaps, the sizes of the matrices, and the loss.

    Args:
        runs: {title: (`training.Training`, {step: HessianRanks of NumericalRank}, {name: HessianRanks of int})}, a
            column each; the ranks of the last are drawn as lines, named in the legend. Marks of ranks that are not well
            determined are hollow.
        heading: title of the figure.

    Returns:
        (4, columns) array of matplotlib axes.
    """
    figure, axes = plt.subplots(4, len(runs), figsize=(1.5 + 4.7 * len(runs), 11.5), sharex="col", squeeze=False)
    for column, (title, (training, measured, lines)) in zip(axes.T, runs.items(), strict=True):
        ranks, gaps, sizes, descent = column
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, "s^o", strict=True)):
            found = [each[i] for each in measured.values()]
            style = dict(color=color, linewidth=0.7, markersize=5)
            for axis, heights in (
                (ranks, [each.rank for each in found]),
                (gaps, [each.gap for each in found]),
                (sizes, [abs(each.spectrum[0]) for each in found]),
            ):
                axis.plot(list(measured), heights, mark + "-", **style, markerfacecolor="white", label=name)
                sure = [(s, h) for s, h, each in zip(measured, heights, found, strict=True) if each.well_determined]
                axis.plot(*np.reshape(sure, (-1, 2)).T, mark, color=color, markersize=5)
            for predicted, line in zip(lines.values(), (":", "--"), strict=False):
                ranks.axhline(predicted[i], color=color, linestyle=line, linewidth=1.2, zorder=0)
        for name, line in zip(lines, (":", "--"), strict=False):
            ranks.plot([], [], color="black", linestyle=line, linewidth=1.2, label=name)
        gaps.axhline(WELL_DETERMINED, color="0.35", linestyle="--", linewidth=1, label="well determined above")
        last = len(training.losses) - 1
        drawn = [0, *sorted({int(step) for step in np.geomspace(1, last, 300)})]
        descent.plot(drawn, training.losses[drawn], color="black", label=r"loss $\mathcal{L}$")
        descent.plot(drawn, training.gradient_norms[drawn], "--", color="0.5", label=r"$\|\nabla \mathcal{L}\|$")
        ranks.set_title(title, fontsize=11)
        ranks.yaxis.set_major_locator(MaxNLocator(integer=True))
        for axis in column:
            axis.set_xscale("symlog", linthresh=1, linscale=0.3)
            axis.set_xlim(-0.15, 1.3 * last)
            axis.grid(alpha=0.25)
        for axis in column[1:]:
            axis.set_yscale("log")
        descent.set_xlabel("step $t$")
        descent.legend(loc="lower left", fontsize=9)
    labels = "rank", "gap", r"largest $|\lambda_i|$", "loss, gradient norm"
    for axis, label in zip(axes[:, 0], labels, strict=True):
        axis.set_ylabel(label)
    entries = [(h, n) for axis in axes[:2, 0] for h, n in zip(*axis.get_legend_handles_labels(), strict=True)]
    unique = {name: handle for handle, name in reversed(entries)}
    hollow = axes[0, 0].plot([], [], "o", color="black", markerfacecolor="white")[0]
    unique = {**dict(reversed(unique.items())), "hollow: gap too small to be sure": hollow}
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.legend(unique.values(), unique, loc="lower center", ncols=3, fontsize=9, frameon=False)
    return axes


def plot_truncation(measured, predicted):
    """Draw the relative error of the best approximation of rank k of the three matrices against k.

    Args:
        measured: {name: HessianRanks of NumericalRank}, a line each.
        predicted: HessianRanks of int, marked by a vertical line.

    Returns:
        Array of three matplotlib axes.
    """
    palette = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.8), sharey=True)
    for i, (axis, title, bound) in enumerate(zip(axes, NAMES, predicted, strict=True)):
        for (name, found), color, line in zip(measured.items(), palette, _LINES, strict=False):
            errors = np.maximum(truncation_errors(found[i].spectrum), 1e-17)
            axis.semilogy(errors, color=color, linestyle=line, linewidth=1.4, label=name)
        axis.axvline(bound, color="black", linestyle=":", linewidth=1.5, label="closed form, linear network")
        axis.set(xlabel="rank $k$ of the approximation", ylim=(1e-17, 3), title=f"{title}, $k = {bound}$")
        axis.title.set_fontsize(11)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel(r"$\|\mathbf{H} - \mathbf{H}_k\|_F \, / \, \|\mathbf{H}\|_F$")
    figure.suptitle("How much of each Hessian lies in its best approximation of rank $k$", fontsize=12)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=9, frameon=False)
    return axes


def plot_shape(rows, outliers, bins=40):
    """Draw how many eigenvalues there are of each size, the positive ones upwards and the negative ones downwards.

    Args:
        rows: {title: HessianRanks of NumericalRank}, a row of three panels each. Eigenvalues that are not counted in
            the rank are left out of the histogram; the titles count all.
        outliers: how many of the largest |eigenvalues| to mark.
        bins: for the range of all rows.

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
                (negative, -1, _NEGATIVE, "negative"),
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
