"""Pictures of structured Hessians: the reduced matrix, spectra with multiplicities, signs against the width."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from plots import COLORS, NAMES


def plot_reduction(matrix, sizes, T, pieces):
    """Draw the sizes of the entries of a Hessian, by layers, beside those of its reduced matrix, by pieces.

    Args:
        matrix: (p, p) Hessian.
        sizes: number of parameters of each layer.
        T: (n, n) reduced matrix, of which the lower triangle is read.
        pieces: for each layer, the list of pieces that T was made for.

    Returns:
        Array of two matplotlib axes.
    """
    T = np.tril(T) + np.tril(T, -1).T
    largest = max(abs(np.asarray(matrix)).max(), abs(T).max())
    scale = LogNorm(vmin=1e-6 * largest, vmax=largest)
    layers = [rf"$\mathbf{{W}}_{layer}$" for layer in range(1, len(sizes) + 1)]
    parts = [(rf"{_kind(piece)}$_{layer}$", piece.size) for layer, found in enumerate(pieces, 1) for piece in found]
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.2), layout="constrained")
    panels = (
        (axes[0], abs(np.asarray(matrix)), layers, sizes, f"the Hessian, $p = {len(matrix)}$, by layers"),
        (axes[1], abs(T), *zip(*parts, strict=True), f"its reduced matrix $T$, {len(T)} rows, by pieces"),
    )
    for axis, entries, labels, lengths, title in panels:
        # What is below 1e-12 of the largest is rounding where the structure has a zero.
        image = axis.imshow(np.ma.masked_less(entries, 1e-12 * largest), norm=scale, interpolation="nearest")
        edges = np.cumsum([0, *lengths])
        for edge in edges[1:-1]:
            for line in (axis.axhline, axis.axvline):
                line(edge - 0.5, color="white", linewidth=1.5)
                line(edge - 0.5, color="black", linewidth=0.5)
        middles = (edges[:-1] + edges[1:] - 1) / 2
        axis.set_xticks(middles, labels, fontsize=9)
        axis.set_yticks(middles, labels, fontsize=9)
        axis.tick_params(length=0)
        axis.set_title(title, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: zero)")
    figure.suptitle(f"Where the {NAMES.loss} lives", fontsize=12)
    return axes


def plot_agreement(dense, structured):
    """Draw structured eigenvalues over dense ones, in decreasing order, and the differences of the two below.

    Args:
        dense: HessianRanks of all eigenvalues (p,).
        structured: HessianRanks of `structure.Spectrum`.

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
        spectra: HessianRanks of `structure.Spectrum`.
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


def plot_negatives(points, heading):
    """Draw the number of negative eigenvalues of H_L against q M, and its ratio to q M against p.

    Args:
        points: {label: list of (shape, q M, p, `structure.Inertia`)}, at most five labels.
        heading: the figure's title.

    Returns:
        Array of two matplotlib axes.
    """
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.8))
    styles = list(zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "black"), "os^Dv", strict=True))
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


def _kind(piece):
    return "Z" if piece.above is None else "Y" if piece.below is None else "X"
