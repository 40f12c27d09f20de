"""Curves over many networks or many steps: ranks, costs, numbers of negative eigenvalues. Arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

import checks
from counting import CLIFF
from figures.panels import is_zero, legend_entries, log_scale, positive, say, whole_ticks, without_ticks
from figures.style import COLORS, MARKS, NAMES, PALETTE


def plot_sweep(values, panels, label, heading, scale="linear"):
    """Draw measured ranks as points on lines of closed forms, with the number of parameters beside them.

    A mark is the median over the seeds, with a bar from the smallest rank to the largest. It is hollow if the rank of
    any seed is open.

    Args:
        values: the horizontal axis: numbers. Or names, or False and True, for which the three marks stand side by side.
        panels: {title: for each value a list of `sweeps.Point`, one for each seed}, drawn side by side.
        label: of the horizontal axis.
        heading: title of the figure.
        scale: 'linear' or 'log', of both axes. With a rank of 0, the vertical one is linear below 1. Names stand at
            equal distances on any scale.

    Returns:
        Array of matplotlib axes, one for each panel.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(values=values, panels=panels)
    figure, axes = plt.subplots(1, len(panels), figsize=(max(7.5, 4 * len(panels)), 5.2), sharey=True, squeeze=False)
    size = 6 if len(values) < 20 else 4
    names = isinstance(values[0], (str, bool))
    places = np.arange(len(values)) if names else values
    lines, copies = places, 1
    if len(values) == 1:  # A line needs two ends.
        lines = [places[0] - 0.3, places[0] + 0.3] if names else [0.97 * places[0], 1.03 * places[0]]
        copies = 2
    every = [point for panel in panels.values() for row in panel for point in row]
    numbers = [n for each in every for n in (each.parameters, *each.predicted, *(m.rank for m in each.measured))]
    for axis, (title, points) in zip(axes[0], panels.items(), strict=True):
        heights = [row[0].parameters for row in points] * copies
        axis.plot(lines, heights, "--", color="0.6", label="number of parameters $p$")
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, MARKS, strict=True)):
            axis.plot(lines, [row[0].predicted[i] for row in points] * copies, color=color, linewidth=1.2)
            for place, row in zip(places, points, strict=True):
                found = [point.measured[i] for point in row]
                ranks = [each.rank for each in found]
                face = color if all(each.trusted for each in found) else "white"
                bar = [[np.median(ranks) - min(ranks)], [max(ranks) - np.median(ranks)]]
                style = dict(color=color, markerfacecolor=face, markersize=size, capsize=4, elinewidth=1)
                axis.errorbar(place + 0.2 * names * (i - 1), np.median(ranks), yerr=bar, fmt=mark, **style)
            axis.plot([], [], mark, color=color, linestyle="-", label=f"rank of the {name}; line: closed form")
        axis.plot([], [], "o", color="black", markerfacecolor="white", label="hollow: the rank is open")
        axis.set_xlabel(label)
        if scale == "log":
            log_scale(axis.yaxis, numbers)
        else:
            whole_ticks(axis.yaxis)
        if names:
            axis.set_xticks(places, [str(value) for value in values], rotation=30, ha="right")
        elif scale == "log" or len(values) == 1:
            axis.set_xscale(scale)
            axis.set_xticks(values, [str(value) for value in values])
            axis.xaxis.minorticks_off()
        elif all(value == int(value) for value in values):
            whole_ticks(axis.xaxis)
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

    The peak memory of a small work may be no higher than that of the imports before. Then its memory has no point, and
    the legend says so.

    Args:
        dense, matrix_free: lists of pairs (p, `experiments.cost.Cost`). One of them can be empty.

    Returns:
        Array of two matplotlib axes.

    Raises:
        ValueError: if both lists are empty.
    """
    checks.filled(costs=[*dense, *matrix_free])
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.4))
    ways = (dense, COLORS.outer, "s", "dense: matrices and eigenvalues"), (matrix_free, COLORS.loss, "o", "matrix-free")
    p = [size for size, _ in [*dense, *matrix_free]]
    hidden = False
    for costs, color, mark, name in ways:
        sizes = [size for size, _ in costs]
        style = dict(color=color, marker=mark, label=name)
        axes[0].loglog(sizes, [cost.seconds for _, cost in costs], **style)
        memory = positive([1e-6 * (cost.peak - cost.before) for _, cost in costs])
        axes[1].loglog(sizes, memory, **style)
        hidden |= bool(np.isnan(memory).any())
    line = np.array([0.9 * min(p), 1.1 * max(p)])
    axes[1].loglog(line, 8e-6 * line**2, ":", color="0.35", label="one $p \\times p$ matrix, $8 p^2$ bytes")
    if hidden:
        axes[1].plot([], [], linestyle="none", label="no point: less memory than the imports")
    for axis, quantity in zip(axes, ("seconds, compilation included", "memory of the work, MB"), strict=True):
        axis.set(xlabel="number of parameters $p$", ylabel=quantity)
        log_scale(axis.xaxis, p)
        axis.grid(alpha=0.25)
    figure.suptitle("What the three ranks cost", fontsize=12)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.legend(*legend_entries(axes), loc="lower center", ncols=4, fontsize=9, frameon=False)
    return axes


def plot_training(runs, heading):
    """Draw the three ranks, their gaps, the sizes of the matrices, and the loss against the step of training.

    Each run has a column. Its HessianTriples of int are drawn as lines, named in the legend. Marks of ranks that are
    open are hollow. A zero matrix has a rank, but an infinite gap and no size on a log axis. The legend
    says so, and a panel where nothing is left.

    Args:
        runs: {title: (`training.Training`, {step: HessianTriple of NumericalRank}, {name: HessianTriple of int})}.
        heading: title of the figure.

    Returns:
        (4, columns) array of matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(runs=runs)
    figure, axes = plt.subplots(4, len(runs), figsize=(1.5 + 4.7 * len(runs), 11.5), sharex="col", squeeze=False)
    some_zero = False
    for column, (title, (training, measured, lines)) in zip(axes.T, runs.items(), strict=True):
        ranks, gaps, sizes, descent = column
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, MARKS, strict=True)):
            found = [each[i] for each in measured.values()]
            # Where curves coincide, each one's marks and line are smaller than those before, which show around them.
            style = dict(color=color, linewidth=1.9 - 0.6 * i, markersize=9 - 2.5 * i)
            for axis, heights in (
                (ranks, [each.rank for each in found]),
                (gaps, positive([each.gap for each in found])),
                (sizes, positive([abs(each.spectrum[0]) for each in found])),
            ):
                axis.plot(list(measured), heights, mark + "-", **style, markerfacecolor="white", label=name)
                sure = [(s, h) for s, h, each in zip(measured, heights, found, strict=True) if each.trusted]
                axis.plot(*np.reshape(sure, (-1, 2)).T, mark, color=color, markersize=style["markersize"])
            for predicted, line in zip(lines.values(), (":", "--"), strict=False):
                ranks.axhline(predicted[i], color=color, linestyle=line, linewidth=1.2, zorder=0)
        for name, line in zip(lines, (":", "--"), strict=False):
            ranks.plot([], [], color="black", linestyle=line, linewidth=1.2, label=name)
        gaps.axhline(CLIFF, color="0.35", linestyle="--", linewidth=1, label="a cliff above")
        last = len(training.losses) - 1
        drawn = [0, *sorted({int(step) for step in np.geomspace(1, last, 300)})]
        for values, style, name in (
            (training.losses, dict(color="black"), r"loss $\mathcal{L}$"),
            (training.gradient_norms, dict(color="0.5", linestyle="--"), r"$\|\nabla \mathcal{L}\|$"),
        ):
            shown = positive(values[drawn])
            descent.plot(
                drawn, shown, label=name + (", no line where it is 0" if np.isnan(shown).any() else ""), **style
            )
        ranks.set_title(title, fontsize=11)
        whole_ticks(ranks.yaxis)
        for axis in column:
            axis.set_xscale("symlog", linthresh=1, linscale=0.3)
            axis.set_xlim(-0.15, 1.3 * last)
            axis.grid(alpha=0.25)
        for axis in column[1:]:
            axis.set_yscale("log")
            low, high = axis.get_ylim()
            if high < 20 * low:  # below a decade, labels of powers of ten and of their parts stand on each other
                axis.set_ylim(low / 4, high * 4)
            axis.yaxis.set_minor_formatter(NullFormatter())
        zero = [is_zero(each.spectrum) for found in measured.values() for each in found]
        some_zero |= any(zero)
        if all(zero):
            say(gaps, "all matrices are zero:\ntheir gaps are infinite")
            say(sizes, "all matrices are zero")
            without_ticks(sizes.yaxis)
        if not np.any([training.losses, training.gradient_norms]):
            say(descent, "the loss and its gradient are 0")
            without_ticks(descent.yaxis)
        descent.set_xlabel("step $t$")
        descent.legend(loc="lower left", fontsize=9)
    labels = "rank", "gap", r"largest $|\lambda_i|$", "loss, gradient norm"
    for axis, label in zip(axes[:, 0], labels, strict=True):
        axis.set_ylabel(label)
    handles, names = legend_entries(axes[:2])
    extra = [("no point: the matrix is zero", dict(linestyle="none"))] if some_zero else []
    hollow = dict(marker="o", linestyle="none", color="black", markerfacecolor="white")
    for name, style in [*extra, ("hollow: the rank is open", hollow)]:
        handles.append(Line2D([], [], **style))
        names.append(name)
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.legend(handles, names, loc="lower center", ncols=3, fontsize=9, frameon=False)
    return axes


def plot_negatives(points, heading):
    """Draw the number of negative eigenvalues of H_L against q M, and its ratio to q M against p.

    Args:
        points: {label: list of `linear_networks.Descent`}, at most five labels. Where q M is 0, there is no ratio. With
            a 0 among the numbers, their axes are linear below 1.
        heading: the figure's title.

    Returns:
        Array of two matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(points=points)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.8))
    styles = list(zip([*PALETTE[1:5], PALETTE[0]], "os^Dv", strict=True))
    for (label, found), (color, mark) in zip(points.items(), styles[: len(points)], strict=True):
        rows = [(product, p, signs.negative) for _, product, p, signs in found]
        product, p, negative = (np.array(column) for column in zip(*rows, strict=True))
        style = dict(color=color, marker=mark, linestyle="none", markersize=5, fillstyle="none", label=label)
        axes[0].plot(product, negative, **style)
        axes[1].plot(p, negative / positive(product), **style)
    every = [point for found in points.values() for point in found]
    products, negatives = [point.product for point in every], [point.signs.negative for point in every]
    line = np.array([0.9 * min(products), 1.1 * max(products)])
    axes[0].plot(line, line, "-", color="0.35", linewidth=1, label="$q M$")
    axes[1].axhline(1, color="0.35", linewidth=1)
    log_scale(axes[0].xaxis, products)
    log_scale(axes[0].yaxis, [*products, *negatives])
    log_scale(axes[1].xaxis, [point.parameters for point in every])
    if not any(products):
        say(axes[1], "no ratio: $q M$ is 0")
    axes[0].set(xlabel="$q M$", ylabel=r"negative eigenvalues of $\mathbf{H}_\mathcal{L}$")
    axes[1].set(xlabel="number of parameters $p$", ylabel=r"negative eigenvalues of $\mathbf{H}_\mathcal{L}$, by $q M$")
    axes[0].legend(fontsize=9)
    for axis in axes:
        axis.grid(alpha=0.25)
    figure.suptitle(heading, fontsize=12)
    figure.tight_layout()
    return axes
