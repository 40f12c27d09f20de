"""What panels have in common: whole numbers on axes that count, one legend, words where nothing can be drawn."""

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

ZERO = "the matrix is zero:\nall its eigenvalues are 0"


def is_zero(spectrum):
    """Return whether the matrix with these eigenvalues is zero: all of them are exactly 0."""
    return not np.any(spectrum)


def comparable(sizes):
    """Return whether matrices of these sizes can share a vertical axis.

    They can if the nonzero ones lie within a factor of 1e10. Zero matrices follow the axis of the others. If all are
    zero there is no axis to share.

    Args:
        sizes: the largest |eigenvalue| of each matrix.
    """
    exponents = [np.log10(size) for size in sizes if size > 0]
    return bool(exponents) and max(exponents) - min(exponents) <= 10


def positive(values):
    """Return the values as floats with NaN for those that a log axis has no place for: zero, infinity, NaN."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def whole_ticks(*axes):
    """Put the ticks of linear axes (axis.xaxis, axis.yaxis) at whole numbers, however few there are."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))


def whole_log_ticks(axis, counts):
    """Put the ticks of a log axis (axis.xaxis, axis.yaxis) at whole numbers among the counts that it shows.

    Args:
        axis: one matplotlib axis with a log scale. Over more than two decades its own ticks are powers of ten and stay.
        counts: the numbers shown, at least 1 each.
    """
    low, high = int(np.min(counts)), int(np.max(counts))
    if high > 100 * low:
        return
    candidates = [digit * 10**power for power in range(len(str(high))) for digit in (1, 2, 5)]
    ticks = [number for number in candidates if low <= number <= high]
    ticks = ticks if len(ticks) > 1 else sorted({low, high})
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{number:,}" for number in ticks]))
    axis.set_minor_locator(NullLocator())


def log_scale(axis, counts):
    """Make an axis (axis.xaxis, axis.yaxis) of counts logarithmic, with ticks at whole numbers, and linear below 1.

    Args:
        axis: one matplotlib axis.
        counts: the numbers shown. A scale without a 0 is purely logarithmic.
    """
    set_scale, set_limits = (getattr(axis.axes, f"set_{axis.axis_name}{what}") for what in ("scale", "lim"))
    if min(counts) > 0:
        set_scale("log")
        whole_log_ticks(axis, counts)
    else:
        set_scale("symlog", linthresh=1, linscale=0.3)
        set_limits(-0.3, 1.5 * max(1, *counts))


def without_ticks(*axes):
    """Take the ticks from axes (axis.xaxis, axis.yaxis) that show nothing, where they would have no meaning."""
    for axis in axes:
        axis.set_major_locator(NullLocator())
        axis.set_minor_locator(NullLocator())


def say(axis, text):
    """Write a text in the middle of a panel, over whatever lines there are."""
    box = dict(facecolor="white", edgecolor="none", alpha=0.85)
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=10, bbox=box)


def legend_entries(axes):
    """Return the handles and the labels of a legend for several panels, every label once, in order."""
    found = {}
    for axis in np.ravel(axes):
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)
