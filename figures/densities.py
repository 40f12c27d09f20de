"""Pictures of spectra that are known by estimates, with what the estimates are worth: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

import checks
from figures.panels import ZERO, is_zero, legend_entries, log_scale, positive, say, whole_ticks, without_ticks
from figures.style import COLORS, LINES, MARKS, NAMES, NEGATIVE, PALETTE
from matrix_free import counts_below

_LINEAR = 1e-3  # Within so much of the largest |eigenvalue|, an axis of eigenvalues is linear.
_BINS = 10  # for every factor of ten
_BOTTOM = 1e-3  # of the bars on a log axis, out of sight


def plot_counts(densities, eigenvalues, multiplicities, heading):
    """Draw N(x), the number of eigenvalues that are at most x: exactly, and as estimates with their bands.

    Args:
        densities: {name: `matrix_free.Density`}, from the widest band to the narrowest.
        eigenvalues: (m,), the exact ones.
        multiplicities: (m,), how often each occurs. They add up to p.
        heading: title.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if there is no density, or no eigenvalue.

    Example:
        >>> import numpy as np
        >>> from figures import plot_counts
        >>> from matrix_free import spectral_density
        >>> H = np.diag(np.repeat([-1.0, 0.0, 2.0], [10, 70, 20]))
        >>> densities = {f"{steps} steps": spectral_density(lambda V: V @ H, 100, steps=steps) for steps in (1, 3)}
        >>> axis = plot_counts(densities, [-1.0, 0.0, 2.0], [10, 70, 20], "three eigenvalues")
        >>> axis.get_legend_handles_labels()[1]
        ['1 steps', '3 steps', 'exact']
    """
    checks.filled(densities=densities, eigenvalues=eigenvalues)
    order = np.argsort(eigenvalues)
    values, counts = np.asarray(eigenvalues, float)[order], np.cumsum(np.asarray(multiplicities)[order])
    size = max(abs(values).max(), *(abs(each.nodes).max() for each in densities.values())) or 1.0
    figure, axis = plt.subplots(figsize=(9, 4.6))
    ends = _symlog(np.array([-1.5, 1.5]))
    grid = size * _from_symlog(np.linspace(*ends, 801))
    # Beside an eigenvalue, where N jumps; an eigenvalue itself, equal to many others, would be a question of rounding.
    beside = values[counts >= 1e-3 * counts[-1]][:, None] + 1e-6 * size * np.array([-1, 1])
    x = np.unique(np.concatenate([grid[grid != 0], beside.ravel()]))
    shades = np.linspace(0.25, 0.9, len(densities))
    for (name, density), shade in zip(densities.items(), shades, strict=True):
        found = counts_below(density, x)
        axis.fill_between(x, found.low, found.high, color=plt.get_cmap("Blues")(shade), linewidth=0, label=name)
    edges = np.concatenate([[-1.5 * size], np.repeat(values, 2), [1.5 * size]])
    axis.plot(edges, np.concatenate([[0, 0], np.repeat(counts, 2)]), color=COLORS.outer, linewidth=1.3, label="exact")
    _eigenvalue_axis(axis, size, _LINEAR * size)
    axis.set(xlabel="$x$", ylabel=r"number of eigenvalues $\leq x$")
    whole_ticks(axis.yaxis)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_title(heading, fontsize=11)
    axis.grid(alpha=0.25)
    axis.legend(loc="upper left", fontsize=9)
    figure.tight_layout()
    return axis


def plot_distances(panels):
    """Draw how far estimated spectra are from the exact one, against the number of probes.

    Args:
        panels: {title: {steps: list of (probes, distance)}}, drawn side by side, with a line for each number of steps.

    Returns:
        Array of matplotlib axes, one for each panel.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(panels=panels)
    size = max(7.5, 5 * len(panels)), 4.2
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        checks.filled(lines=lines)
        for i, (steps, pairs) in enumerate(lines.items()):
            probes, distances = zip(*pairs, strict=True)
            color, line = PALETTE[i % len(PALETTE)], LINES[(i + i // len(PALETTE)) % len(LINES)]
            style = dict(marker="o", markersize=4, color=color, linestyle=line)
            axis.plot(probes, positive(distances), **style, label=f"{steps} steps")
        axis.set_yscale("log")
        shown = sorted({probes for pairs in lines.values() for probes, _ in pairs})
        log_scale(axis.xaxis, shown)
        if len(shown) <= 6:
            axis.set_xticks(shown, [str(count) for count in shown])
        axis.set_xlabel("number of probes")
        axis.set_title(title, fontsize=11)
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel(r"distance $/ \, \max_i |\lambda_i|$")
    figure.suptitle("Wasserstein distance from the exact spectrum", fontsize=12)
    figure.legend(*legend_entries(axes), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    return axes[0]


def plot_densities(rows, extremes, heading):
    """Draw how many eigenvalues there are of each size and sign, by estimates, and marks where single ones were found.

    A bar is the number of eigenvalues in its bin: the mean over the probes of the nodes' weights, times p. It is an
    estimate, so that one eigenvalue may appear as half of one. The grey bar in the middle holds those closer to zero
    than the nodes around zero are to each other. Where they lie inside of it, the nodes do not tell.

    Args:
        rows: {title: HessianTriple of `matrix_free.Density`}, a row of three panels each.
        extremes: {title: HessianTriple of `matrix_free.Extremes`, or None in the place of one}. A title may lack.
        heading: title of the figure.

    Returns:
        (rows, 3) array of matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(rows=rows)
    figure, axes = plt.subplots(len(rows), 3, figsize=(12, 2.9 * len(rows) + 1), sharey=True, squeeze=False)
    for line, (title, densities) in zip(axes, rows.items(), strict=True):
        ends = extremes.get(title) or (None, None, None)
        for axis, density, found, color, name in zip(line, densities, ends, COLORS, NAMES, strict=True):
            axis.set_yscale("log")
            axis.set_title(name, fontsize=10)
            axis.grid(alpha=0.25)
            if is_zero(density.nodes):
                say(axis, ZERO)
                without_ticks(axis.xaxis)
                continue
            size, unresolved = abs(density.nodes).max(), _resolution(density)
            _draw_bars(axis, density, unresolved, color)
            if found is not None:
                _draw_marks(axis, found, unresolved)
            _eigenvalue_axis(axis, size, unresolved)
        line[0].set_ylabel(f"{title}\neigenvalues in a bin")
    axes[0, 0].set_ylim(0.1, 5 * max(each.p for triple in rows.values() for each in triple))
    for axis in axes[-1]:
        axis.set_xlabel(r"$\lambda$")
    figure.suptitle(heading, fontsize=12)
    inch = 1 / figure.get_figheight()
    figure.tight_layout(rect=(0, 0.45 * inch, 1, 1 - 0.1 * inch))
    figure.legend(*legend_entries(axes), loc="lower center", ncols=6, fontsize=9, frameon=False)
    return axes


def plot_layer_densities(rows, distances, heading):
    """Draw the spectra of the layers, each scaled by its largest |node|, and how far apart their shapes are.

    Args:
        rows: {title: {layer: `matrix_free.Density`}}, a row of two panels each: curves, and a map of distances. The
            legend has the layers' largest |nodes|.
        distances: {title: (m, m) array}, of every two of the m layers.
        heading: title of the figure.

    Returns:
        (rows, 2) array of matplotlib axes.

    Raises:
        ValueError: if there is nothing to draw.
    """
    checks.filled(rows=rows)
    shape = dict(figsize=(12, 4.2 * len(rows)), width_ratios=[1.5, 1], squeeze=False, layout="constrained")
    figure, axes = plt.subplots(len(rows), 2, **shape)
    largest = max(np.max(matrix) for matrix in distances.values()) or 1.0
    for (left, right), (title, densities) in zip(axes, rows.items(), strict=True):
        colors = plt.get_cmap("viridis")(np.linspace(0, 0.92, len(densities)))
        for i, ((layer, density), color) in enumerate(zip(densities.items(), colors, strict=True)):
            order = np.argsort(density.nodes, axis=None)
            size = abs(density.nodes).max()
            nodes = density.nodes.ravel()[order] / (size or 1.0)
            shares = np.cumsum(density.weights.ravel()[order]) / len(density.weights)
            left.step(
                nodes, shares, where="post", color=color, linestyle=LINES[i % len(LINES)], label=f"{layer}: {size:.3g}"
            )
        _eigenvalue_axis(left, 1.0, 1e-2)
        left.set(
            xlabel=r"$\lambda \, / \, \max_i |\lambda_i|$ of the layer", ylabel=r"share of eigenvalues $\leq \lambda$"
        )
        left.set_title(title, fontsize=11)
        left.grid(alpha=0.25)
        legend = dict(fontsize=7, title=r"$\max_i |\lambda_i|$ of the layer", title_fontsize=8)
        left.legend(loc="lower right", ncols=1 + (len(densities) > 8), **legend)
        image = right.imshow(distances[title], vmin=0, vmax=largest, cmap="cividis")
        right.set_xticks(range(len(densities)), densities, rotation=90, fontsize=8)
        right.set_yticks(range(len(densities)), densities, fontsize=8)
        right.set_title("distance of the shapes", fontsize=11)
        figure.colorbar(image, ax=right, shrink=0.8)
    figure.suptitle(heading, fontsize=12)
    return axes


def plot_sharpness(record, rate):
    """Draw the loss and the largest eigenvalue of H_L along gradient descent, beside 2 / rate.

    Args:
        record: `experiments.sharpness.Sharpness`.
        rate: the learning rate.

    Returns:
        Array of two matplotlib axes.
    """
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2))
    axes[0].semilogy(np.arange(len(record.losses)), record.losses, color=COLORS.loss, linewidth=1)
    axes[0].set(ylabel=r"$\mathcal{L}$")
    axes[0].set_title("the loss", fontsize=11)
    style = dict(color=COLORS.loss, marker=MARKS.loss, markersize=5, capsize=3)
    axes[1].errorbar(
        record.steps, record.values, yerr=record.errors, **style, label=r"$\lambda_1(\mathbf{H}_\mathcal{L})$"
    )
    axes[1].axhline(2 / rate, color="black", linestyle="--", linewidth=1.2, label=rf"2 / rate = {2 / rate:.4g}")
    axes[1].set_ylim(bottom=0)
    axes[1].set(ylabel=r"largest eigenvalue of $\mathbf{H}_\mathcal{L}$")
    axes[1].set_title("the sharpness", fontsize=11)
    axes[1].legend(loc="lower right", fontsize=9)
    for axis in axes:
        axis.set_xlabel("step")
        whole_ticks(axis.xaxis)
        axis.grid(alpha=0.25)
    figure.suptitle("Gradient descent at the edge of stability", fontsize=12)
    figure.tight_layout()
    return axes


def _symlog(x):
    """Return places on a scale on which every factor of ten beyond _LINEAR takes one unit, and so does 0 to _LINEAR."""
    ratio = abs(x) / _LINEAR
    return np.sign(x) * np.where(ratio <= 1, ratio, 1 + np.log10(np.maximum(ratio, 1)))


def _from_symlog(place):
    """Return the numbers at these places, the inverse of `_symlog`."""
    far = abs(place) > 1
    return np.sign(place) * _LINEAR * np.where(far, 10.0 ** (np.where(far, abs(place), 1) - 1), abs(place))


def _eigenvalue_axis(axis, size, linear):
    """Make the horizontal axis one of eigenvalues up to `size`, of both signs, linear up to `linear`."""
    axis.set_xscale("symlog", linthresh=linear, linscale=0.9)
    axis.set_xlim(-1.6 * size, 1.6 * size)
    # Two powers of ten at most, so that their labels do not meet.
    top, low = int(np.floor(np.log10(1.6 * size))), int(np.ceil(np.log10(linear)))
    powers = 10.0 ** np.array(sorted({max(low, top - 2), top}))
    axis.xaxis.set_major_locator(FixedLocator([*-powers[::-1], 0, *powers]))
    axis.xaxis.set_minor_locator(NullLocator())


def _resolution(density):
    """Return the distance of the nodes around zero from each other: the median over the probes of the larger gap.

    It is between 1e-4 and 0.3 of the largest |node|, so that there is something to draw on either side.
    """
    size, gaps = abs(density.nodes).max(), []
    for nodes, weights in zip(density.nodes, density.weights, strict=True):
        nodes = nodes[weights > 0]
        place = abs(nodes).argmin()
        gaps.append(np.diff(nodes[max(place - 1, 0) : place + 2]).max(initial=0))
    return np.clip(np.median(gaps), 1e-4 * size, 0.3 * size)


def _draw_bars(axis, density, unresolved, color):
    """Draw the histogram of a Density: positive eigenvalues, negative ones and those near zero."""
    size, share = abs(density.nodes).max(), density.p / len(density.nodes)
    decades = np.log10(1.05 * size / unresolved)
    edges = unresolved * 10.0 ** np.linspace(0, decades, 2 + int(_BINS * decades))
    for sign, paint, label in ((1, color, None), (-1, NEGATIVE, "negative")):  # each matrix has a colour of its own
        heights, _ = np.histogram(sign * density.nodes, edges, weights=share * density.weights)
        places = edges if sign > 0 else -edges[::-1]
        style = dict(baseline=_BOTTOM, fill=True, color=paint, alpha=0.8, label=label)
        axis.stairs(np.maximum(heights[::sign], _BOTTOM), places, **style)
    near = share * density.weights[abs(density.nodes) < unresolved].sum()
    if near > 0:
        label = "too close to zero for the nodes to tell"
        axis.stairs([near], [-unresolved, unresolved], baseline=_BOTTOM, fill=True, color="0.75", label=label)
        axis.text(0, near * 1.3, f"{near / density.p:.1%}", ha="center", va="bottom", fontsize=8)


def _draw_marks(axis, found, unresolved):
    """Draw a mark for every single eigenvalue that is known to a tenth of itself, at the foot of the bars."""
    values, errors = (
        np.concatenate(both) for both in zip(*((pairs.values, pairs.errors) for pairs in found), strict=True)
    )
    values = values[(abs(values) > unresolved) & (errors < 0.1 * abs(values))]
    axis.plot(values, np.full(len(values), 0.17), "|", color="black", markersize=9, label="single eigenvalues")
