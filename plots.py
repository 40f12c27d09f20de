"""Pictures of images, spectra and block structure: arrays in, axes out."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import NullFormatter

from ranks import HessianRanks

# Okabe and Ito's palette, told apart by colour-blind readers; one colour per matrix, everywhere.
COLORS = HessianRanks(functional="#0072B2", outer="#D55E00", loss="#009E73")
NAMES = HessianRanks(
    functional=r"functional Hessian $\mathbf{H}_f$",
    outer=r"outer product $\mathbf{H}_o$",
    loss=r"loss Hessian $\mathbf{H}_\mathcal{L}$",
)


def show_images(inputs, targets, count=10):
    """Show the first `count` inputs as the network sees them, with the class of each.

    Args:
        inputs: (n, d); drawn as sqrt(d) x sqrt(d) images where d is a perfect square, as rows of d numbers where not.
        targets: (n, K) one-hot, or (n, 1) with -1/+1.
        count: how many at the most.

    Returns:
        Array of the matplotlib axes.
    """
    count = min(count, len(inputs))
    dim = inputs.shape[1]
    side = math.isqrt(dim)
    shape = (side, side) if side**2 == dim else (1, dim)
    rows = math.ceil(count / 10)
    columns = math.ceil(count / rows)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows + 0.35), squeeze=False)
    low, high = np.min(inputs[:count]), np.max(inputs[:count])
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image, target in zip(axes.flat, inputs[:count], targets, strict=False):
        axis.imshow(np.reshape(image, shape), cmap="gray", vmin=low, vmax=high)
        axis.set_title(f"{int(np.argmax(target))}" if len(target) > 1 else f"{target[0]:+.0f}", fontsize=10)
    figure.suptitle(f"The first {count} inputs, {shape[0]} × {shape[1]} pixels, with their class", fontsize=11)
    figure.tight_layout()
    return axes


def plot_spectra(measured, predicted, heading="closed form"):
    """Draw the sorted |eigenvalues| of the three matrices on a log axis, each with its threshold and predicted rank.

    Args:
        measured: HessianRanks of NumericalRank.
        predicted: HessianRanks of int.
        heading: what the predicted ranks are.

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


def plot_blocks(matrices, sizes):
    """Draw the sizes of the entries of the three matrices, with lines between the blocks of the layers.

    Args:
        matrices: HessianRanks of (p, p) arrays.
        sizes: number of parameters of each layer, in the order of the flattened vector; they add up to p.

    Returns:
        Array of three matplotlib axes.
    """
    largest = max(float(abs(np.asarray(matrix)).max()) for matrix in matrices)
    scale = LogNorm(vmin=1e-6 * largest, vmax=largest) if largest else None
    edges = np.cumsum([0, *sizes])
    labels = [rf"$\mathbf{{W}}_{layer}$" for layer in range(1, len(sizes) + 1)]
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained")
    for axis, matrix, name in zip(axes, matrices, NAMES, strict=True):
        entries = np.ma.masked_equal(abs(np.asarray(matrix)), 0)
        image = axis.imshow(entries, norm=scale, cmap="viridis", interpolation="nearest")
        axis.set_facecolor("white")
        for edge in edges[1:-1]:
            axis.axhline(edge - 0.5, color="white", linewidth=1.5)
            axis.axvline(edge - 0.5, color="white", linewidth=1.5)
            axis.axhline(edge - 0.5, color="black", linewidth=0.5)
            axis.axvline(edge - 0.5, color="black", linewidth=0.5)
        middles = (edges[:-1] + edges[1:] - 1) / 2
        axis.set_xticks(middles, labels)
        axis.set_yticks(middles, labels)
        axis.tick_params(length=0)
        axis.set_title(name, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: exactly zero)")
    figure.suptitle("Block structure by layer", fontsize=12)
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
        trials: list of `survey.Trial`; those without an exact rank are left out.

    Returns:
        The matplotlib axes; the horizontal one is p, the vertical one |eigenvalue| over the largest.
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


def plot_sweep(values, panels, label, heading, scale="linear"):
    """Draw measured ranks as points on lines of closed forms, with the number of parameters beside them.

    Args:
        values: the horizontal axis: numbers, or names, for which the three marks stand side by side.
        panels: {title: for each value a list of `sweeps.Point`, one for each seed}, drawn side by side. A mark is the
            median over the seeds, with a bar from the smallest to the largest; it is hollow if the rank of any seed is
            not well determined.
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
        for i, (color, name, mark) in enumerate(zip(COLORS, NAMES, "s^o", strict=True)):
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
        dense, matrix_free: lists of pairs (p, `cost.Cost`).

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
