"""Pictures of all eigenvalues of linear networks, from their structure: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np

from figures.panels import ZERO, comparable, is_zero, say, whole_log_ticks, whole_ticks, without_ticks
from figures.style import COLORS, NAMES


def plot_agreement(dense, structured):
    """Draw structured eigenvalues over dense ones, in decreasing order, and below them the differences of the two.

    The panels of a zero matrix, for which both say so, are empty but for these words. The others share their vertical
    axes, unless their largest |eigenvalues| are more than a factor of 1e10 apart.

    Args:
        dense: HessianTriple of all eigenvalues (p,).
        structured: HessianTriple of `linear_networks.Spectrum`.

    Returns:
        Array (2, 3) of matplotlib axes.
    """
    repeated = [np.repeat(found.eigenvalues, found.multiplicities) for found in structured]
    # Where dense eigenvalues are all 0, the structured ones may be rounding errors, which differ by all of their size.
    largest = [abs(values).max() or abs(others).max() for values, others in zip(dense, repeated, strict=True)]
    shared = comparable(largest)
    share = dict(sharex=True, sharey="row" if shared else False)
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.2), height_ratios=[2, 1], **share)
    columns = zip(axes.T, dense, repeated, largest, COLORS, NAMES, strict=True)
    for (above, below), values, others, size, color, name in columns:
        above.set_title(name, fontsize=11)
        below.set_xlabel("index $i$, in decreasing order")
        whole_ticks(below.xaxis)
        for axis in (above, below):
            axis.set_xlim(1 - 0.05 * len(values), 1.05 * len(values))
            axis.grid(alpha=0.25)
        if size == 0:
            say(above, f"{ZERO},\ndense and from the structure")
            say(below, "no difference")
            if not shared:
                without_ticks(above.yaxis, below.yaxis)
            continue
        values, index = np.sort(values)[::-1], np.arange(1, len(values) + 1)
        above.plot(index, values, "o", color="0.6", markersize=5, label="dense: eigenvalues of the matrix")
        above.plot(index, others, ".", color=color, markersize=3, label="from the structure")
        exponent = np.floor(np.log10(1e-3 * (max(largest) if shared else size)))
        # A little more than the power of ten, whose logarithm may be rounded down: matplotlib would add a lower tick.
        above.set_yscale("symlog", linthresh=1.000001 * 10**exponent, linscale=1)
        differences = np.maximum(abs(others - values) / size, 1e-18)
        below.semilogy(index, differences, ".", color=color, markersize=3)
        below.axhline(np.finfo(float).eps, color="0.35", linestyle="--", linewidth=1, label=r"$\varepsilon$")
        above.legend(loc="upper right", fontsize=8)
    drawn = [axis for axis in axes[1] if axis.lines]
    if drawn:
        drawn[0].legend(loc="lower left", fontsize=9)
    axes[0, 0].set_ylabel(r"$\lambda_i$")
    axes[1, 0].set_ylabel(r"difference $/ \max_j |\lambda_j|$")
    figure.suptitle("Eigenvalue by eigenvalue: dense and from the structure", fontsize=12)
    figure.tight_layout()
    return axes


def plot_spectrum(spectra, heading):
    """Draw the positive and the negative eigenvalues of the three matrices, sorted by size, against their number.

    The panel of a zero matrix says so. The others share their vertical axis, unless their largest |eigenvalues| are
    more than a factor of 1e10 apart.

    Args:
        spectra: HessianTriple of `linear_networks.Spectrum`.
        heading: the figure's title.

    Returns:
        Array of three matplotlib axes.
    """
    shared = comparable([abs(found.eigenvalues).max() for found in spectra])
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), sharey=shared)
    for axis, found, color, name in zip(axes, spectra, COLORS, NAMES, strict=True):
        axis.set(xscale="log", yscale="log", xlabel="index $i$, by size, each sign for itself")
        axis.grid(alpha=0.25)
        p = found.multiplicities.sum()
        if is_zero(found.eigenvalues):
            axis.set_title(f"{name}\n{p:,} {'zeros' if p > 1 else 'zero'}", fontsize=11)
            say(axis, ZERO)
            without_ticks(axis.xaxis, *([] if shared else [axis.yaxis]))
            continue
        threshold = 1e-14 * abs(found.eigenvalues).max()
        counts = []
        for sign, style, label in ((1, "-", "positive"), (-1, "--", "negative")):
            chosen = sign * found.eigenvalues > threshold
            order = np.argsort(-abs(found.eigenvalues[chosen]))
            values, copies = abs(found.eigenvalues[chosen])[order], found.multiplicities[chosen][order]
            if len(values):
                last = np.cumsum(copies)
                counts.append(int(last[-1]))
                # A step from the first copy of each eigenvalue to its last.
                steps = np.stack([last - copies + 1, last], axis=1).ravel(), np.repeat(values, 2)
                # A single eigenvalue is a point, which a line does not show.
                mark = dict(marker="." if last[-1] == 1 else "", color=color if sign > 0 else "black")
                axis.plot(*steps, linestyle=style, label=f"{counts[-1]:,} {label}", **mark)
        zeros = p - sum(counts)
        axis.set_title(f"{name}\n{zeros:,} {'zero' if zeros == 1 else 'zeros'}", fontsize=11)
        whole_log_ticks(axis.xaxis, [1, *counts])
        axis.legend(loc="lower left", fontsize=9)
    axes[0].set_ylabel(r"$|\lambda_i|$")
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout()
    return axes
