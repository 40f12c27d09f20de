"""Curves over many networks or many steps: ranks, costs, numbers of negative eigenvalues. Arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from figures.style import COLORS, MARKS, NAMES, PALETTE
from ranks import WELL_DETERMINED


def plot_sweep(values, panels, label, heading, scale="linear"):
    """Draw measured ranks as points on lines of closed forms, with the number of parameters beside them.

    A mark is the median over the seeds, with a bar from the smallest rank to the largest. It is hollow if the rank of
    any seed is not well determined.

    Args:
        values: the horizontal axis: numbers, or names, for which the three marks stand side by side.
        panels: {title: for each value a list of `sweeps.Point`, one for each seed}, drawn side by side.
        label: of the horizontal axis.
        heading: title of the figure.
        scale: 'linear' or 'log', of both axes.

    Returns:
        Array of matplotlib axes, one for each panel.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(max(7.5, 4 * len(panels)), 5.2), sharey=True, squeeze=False)
    size = 6 if len(values) < 20 else 4
    names = isinstance(values[0], str)
    places = np.arange(len(values)) if names else values
    for axis, (title, points) in zip(axes[0], panels.items(), strict=True):
        axis.plot(places, [row[0].parameters for row in points], "--", color="0.6", label="number of parameters $p$")
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, MARKS, strict=True)):
            axis.plot(places, [row[0].predicted[i] for row in points], color=color, linewidth=1.2)
            for place, row in zip(places, points, strict=True):
                found = [point.measured[i] for point in row]
                ranks = [each.rank for each in found]
                face = color if all(each.well_determined for each in found) else "white"
                bar = [[np.median(ranks) - min(ranks)], [max(ranks) - np.median(ranks)]]
                style = dict(color=color, markerfacecolor=face, markersize=size, capsize=4, elinewidth=1)
                axis.errorbar(place + 0.2 * names * (i - 1), np.median(ranks), yerr=bar, fmt=mark, **style)
            axis.plot([], [], mark, color=color, linestyle="-", label=f"rank of the {name}; line: closed form")
        axis.plot([], [], "o", color="black", markerfacecolor="white", label="hollow: gap too small to be sure")
        axis.set(xscale=scale, yscale=scale, xlabel=label)
        if scale == "log":
            axis.set_xticks(values, [str(value) for value in values])
            axis.minorticks_off()
        if names:
            axis.set_xticks(places, values, rotation=30, ha="right")
        axis.set_title(title, fontsize=11)
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel("rank, number of parameters")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout(rect=(0, 0.16, 1, 1))
    figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=9, frameon=False)
    return axes[0]


def plot_costs(dense, matrix_free):
    """Draw the time and the memory of the three ranks against p, with the matrices and without them.

    Args:
        dense, matrix_free: lists of pairs (p, `experiments.cost.Cost`).

    Returns:
        Array of two matplotlib axes.
    """
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.4))
    ways = (dense, COLORS.outer, "s", "dense: matrices and eigenvalues"), (matrix_free, COLORS.loss, "o", "matrix-free")
    for costs, color, mark, name in ways:
        p = [size for size, _ in costs]
        style = dict(color=color, marker=mark, label=name)
        axes[0].loglog(p, [cost.seconds for _, cost in costs], **style)
        axes[1].loglog(p, [1e-6 * (cost.peak - cost.before) for _, cost in costs], **style)
    p = np.array([size for size, _ in [*dense, *matrix_free]])
    line = np.array([p.min(), p.max()])
    axes[1].loglog(line, 8e-6 * line**2, ":", color="0.35", label="one $p \\times p$ matrix, $8 p^2$ bytes")
    for axis, quantity in zip(axes, ("seconds, compilation included", "memory of the work, MB"), strict=True):
        axis.set(xlabel="number of parameters $p$", ylabel=quantity)
        axis.grid(alpha=0.25)
        axis.legend(loc="upper left", fontsize=9)
    figure.suptitle("What the three ranks cost", fontsize=12)
    figure.tight_layout()
    return axes


def plot_training(runs, heading):
    """Draw the three ranks, their gaps, the sizes of the matrices, and the loss against the step of training.

    Each run has a column. Its HessianTriples of int are drawn as lines, named in the legend. Marks of ranks that are
    not well determined are hollow.

    Args:
        runs: {title: (`training.Training`, {step: HessianTriple of NumericalRank}, {name: HessianTriple of int})}.
        heading: title of the figure.

    Returns:
        (4, columns) array of matplotlib axes.
    """
    figure, axes = plt.subplots(4, len(runs), figsize=(1.5 + 4.7 * len(runs), 11.5), sharex="col", squeeze=False)
    for column, (title, (training, measured, lines)) in zip(axes.T, runs.items(), strict=True):
        ranks, gaps, sizes, descent = column
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, MARKS, strict=True)):
            found = [each[i] for each in measured.values()]
            # Where curves coincide, each one's marks and line are smaller than those before, which show around them.
            style = dict(color=color, linewidth=1.9 - 0.6 * i, markersize=9 - 2.5 * i)
            for axis, heights in (
                (ranks, [each.rank for each in found]),
                (gaps, [each.gap for each in found]),
                (sizes, [abs(each.spectrum[0]) for each in found]),
            ):
                axis.plot(list(measured), heights, mark + "-", **style, markerfacecolor="white", label=name)
                sure = [(s, h) for s, h, each in zip(measured, heights, found, strict=True) if each.well_determined]
                axis.plot(*np.reshape(sure, (-1, 2)).T, mark, color=color, markersize=style["markersize"])
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


def plot_negatives(points, heading):
    """Draw the number of negative eigenvalues of H_L against q M, and its ratio to q M against p.

    Args:
        points: {label: list of `linear_networks.Descent`}, at most five labels.
        heading: the figure's title.

    Returns:
        Array of two matplotlib axes.
    """
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.8))
    styles = list(zip([*PALETTE[1:5], PALETTE[0]], "os^Dv", strict=True))
    for (label, found), (color, mark) in zip(points.items(), styles[: len(points)], strict=True):
        rows = [(product, p, signs.negative) for _, product, p, signs in found]
        product, p, negative = (np.array(column) for column in zip(*rows, strict=True))
        style = dict(color=color, marker=mark, linestyle="none", markersize=5, fillstyle="none", label=label)
        axes[0].loglog(product, negative, **style)
        axes[1].semilogx(p, negative / product, **style)
    every = np.array([point[1] for found in points.values() for point in found])
    line = np.array([every.min(), every.max()])
    axes[0].loglog(line, line, "-", color="0.35", linewidth=1, label="$q M$")
    axes[1].axhline(1, color="0.35", linewidth=1)
    axes[0].set(xlabel="$q M$", ylabel=r"negative eigenvalues of $\mathbf{H}_\mathcal{L}$")
    axes[1].set(xlabel="number of parameters $p$", ylabel=r"negative eigenvalues of $\mathbf{H}_\mathcal{L}$, by $q M$")
    axes[0].legend(fontsize=9)
    for axis in axes:
        axis.grid(alpha=0.25)
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout()
    return axes
