"""Pictures of how eigenvalues are distributed, beyond their number: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

import checks
from figures.panels import ZERO, is_zero, legend_entries, say, whole_ticks, without_ticks
from figures.style import COLORS, LINES, NAMES, NEGATIVE, PALETTE
from ranks import truncation_errors


def plot_truncation(measured, predicted):
    """Draw the relative error of the best approximation of rank k of the three matrices against k.

    A zero matrix has no error at any rank, and no line. The panel names it instead.

    Args:
        measured: {name: HessianTriple of NumericalRank}, a line each.
        predicted: HessianTriple of int. Vertical lines mark these ranks.

    Returns:
        Array of three matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(measured=measured)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.8), sharey=True)
    for i, (axis, title, bound) in enumerate(zip(axes, NAMES, predicted, strict=True)):
        zero, size = [], 0
        for k, (name, found) in enumerate(measured.items()):
            size = max(size, len(found[i].spectrum))
            if is_zero(found[i].spectrum):
                zero.append(name)
                continue
            errors = np.maximum(truncation_errors(found[i].spectrum), 1e-17)
            # After the last colour, the colours start again, with other lines.
            color, line = PALETTE[k % len(PALETTE)], LINES[(k + k // len(PALETTE)) % len(LINES)]
            axis.semilogy(errors, color=color, linestyle=line, linewidth=1.4, label=name)
        axis.axvline(bound, color="black", linestyle=":", linewidth=1.5, label="closed form, linear network")
        if zero:
            say(axis, "the matrix is zero, with error 0\nat every rank: " + ",\n".join(zero))
        axis.set(xlabel="rank $k$ of the approximation", ylim=(1e-17, 3), title=f"{title}, $k = {bound}$")
        axis.set(yscale="log", xlim=(-0.05 * size, 1.05 * size))
        axis.title.set_fontsize(11)
        whole_ticks(axis.xaxis)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel(r"$\|\mathbf{H} - \mathbf{H}_k\|_F \, / \, \|\mathbf{H}\|_F$")
    figure.suptitle("How much of each Hessian lies outside its best approximation of rank $k$", fontsize=12)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.legend(*legend_entries(axes), loc="lower center", ncols=4, fontsize=9, frameon=False)
    return axes


def plot_shape(rows, outliers, bins=40):
    """Draw how many eigenvalues there are of each size, the positive ones upwards and the negative ones downwards.

    Args:
        rows: {title: HessianTriple of NumericalRank}, a row of three panels each. Eigenvalues that are not counted in
            the rank are left out of the histogram. The titles count all. A panel without any says why.
        outliers: how many of the largest |eigenvalues| to mark, 0 for none.
        bins: number of bins, over the range of all rows.

    Returns:
        (rows, 3) array of matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(rows=rows)
    counted = {title: [found.spectrum[: found.rank] for found in each] for title, each in rows.items()}
    sizes = np.concatenate([abs(spectrum) for each in counted.values() for spectrum in each])
    edges = np.geomspace(0.9 * sizes.min(), 1.1 * sizes.max(), bins + 1) if len(sizes) else None
    figure, axes = plt.subplots(len(rows), 3, figsize=(12, 3.6 * len(rows) + 0.6), sharex=True, sharey=True)
    axes = np.reshape(axes, (len(rows), 3))
    for row, (title, spectra) in zip(axes, counted.items(), strict=True):
        for axis, spectrum, name, each in zip(row, spectra, NAMES, rows[title], strict=True):
            positive, negative = spectrum[spectrum > 0], -spectrum[spectrum < 0]
            if len(spectrum):
                _draw_histograms(axis, positive, negative, edges)
            else:
                say(axis, ZERO if is_zero(each.spectrum) else "no eigenvalue is\nabove the threshold")
            axis.axhline(0, color="black", linewidth=0.8)
            if 0 < outliers < len(spectrum):
                # The root of each factor, since their product can be too small for a number.
                border = np.sqrt(abs(spectrum[outliers - 1])) * np.sqrt(abs(spectrum[outliers]))
                label = f"the {outliers} largest: right of this" if outliers > 1 else "the largest: right of this"
                axis.axvline(border, color="black", linestyle=":", linewidth=1.5, label=label)
            zeros = len(each.spectrum) - each.rank
            axis.set_title(f"{name}\n{len(positive)} positive, {len(negative)} negative, {zeros} zero", fontsize=10)
            axis.set_xscale("log")
            axis.grid(alpha=0.25)
        row[0].set_ylabel(f"{title}\nnumber, negative downwards")
    whole_ticks(axes[0, 0].yaxis)  # which all panels share
    if len(sizes):
        _few_ticks(axes[0, 0].xaxis, *edges[[0, -1]])
    else:
        without_ticks(axes[0, 0].xaxis, axes[0, 0].yaxis)
    for axis in axes[-1]:
        axis.set_xlabel(r"$|\lambda_i|$")
    figure.suptitle("Bulk and outliers", fontsize=12)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    handles, labels = legend_entries(axes)
    if labels:
        figure.legend(handles, labels, loc="lower center", ncols=3, fontsize=9, frameon=False)
    return axes


def _draw_histograms(axis, positive, negative, edges):
    for values, sign, color, label in (
        (positive, 1, COLORS.functional, "positive"),
        (negative, -1, NEGATIVE, "negative"),
    ):
        heights = sign * np.histogram(values, edges)[0]
        axis.stairs(heights, edges, fill=True, color=color, alpha=0.85, label=f"{label} eigenvalues")


def _few_ticks(axis, low, high):
    """Leave so few ticks on a log axis from low to high that their labels do not meet, or those of the next panel."""
    powers = np.log10([low, high])
    if powers[1] - powers[0] > 10:
        axis.set_major_locator(FixedLocator(10 ** np.round(np.linspace(*powers, 7)[1::2])))
    elif powers[1] - powers[0] < 1:
        axis.set_major_locator(MaxNLocator(4))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
