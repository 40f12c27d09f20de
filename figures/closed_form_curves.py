"""Closed forms for the three ranks, beside measured ranks or against the number of parameters: ranks in, axes out."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

import checks
from closed_forms.known import as_known
from figures.panels import log_scale, positive, whole_ticks
from figures.style import COLORS, MARKS, NAMES

_SOLID, _DOTTED = "-", (0, (1, 1.2))
_FAR = 30  # An axis whose largest number is so many times its smallest positive one is logarithmic.


def plot_closed_forms(panels, xlabel, title):
    """Draw measured ranks as marks on lines of closed forms, with the number of parameters beside them.

    A mark is hollow if the rank is open. A line is solid where the closed form is an equality, for weights in general
    position, and dotted where it is only an upper bound. Marks and lines of one place are nested, so that equal ranks
    are all seen. Numbers make lines. For texts, or a single value, the three ranks stand side by side. Axes
    are logarithmic where the largest number is more than 30 times the smallest positive one.

    Args:
        panels: {title: (values, measured, forms, counts)}, one to three of them, drawn side by side. Each of the four
            has one entry for each value along the horizontal axis: the values themselves, numbers or texts; the
            HessianTriples of `NumericalRank`; `closed_forms.KnownRanks`, or HessianTriples of int, which are
            equalities; and the numbers of parameters p.
        xlabel: one text for all panels, or a list with one for each.
        title: of the figure.

    Returns:
        Array of matplotlib axes, one for each panel.

    Raises:
        ValueError: if there is nothing to draw, or if lists that belong together differ in length.

    Example:
        >>> import numpy as np
        >>> from closed_forms import KnownRanks
        >>> from counting import NumericalRank
        >>> from figures import plot_closed_forms
        >>> from hessians import HessianTriple
        >>> form = KnownRanks(HessianTriple(4, 3, 5), HessianTriple(True, True, False))
        >>> found = HessianTriple(*(NumericalRank(rank, 1e9, 1e-12, np.ones(rank), "clear") for rank in (4, 3, 4)))
        >>> axes = plot_closed_forms({"one head": ([1, 2], [found] * 2, [form] * 2, [8, 9])}, "keys $k$", "Ranks")
        >>> [axis.get_title() for axis in axes]
        ['one head']
    """
    checks.filled(panels=panels)
    labels = [xlabel] * len(panels) if isinstance(xlabel, str) else list(xlabel)
    if len(labels) != len(panels):
        raise ValueError(f"xlabel must be one text, or one for each of {len(panels)} panels, got {len(labels)} texts")
    for name, columns in panels.items():
        _check(name, ("values", "measured", "forms", "counts"), columns)
    panels = {name: (a, b, [*map(as_known, forms)], p) for name, (a, b, forms, p) in panels.items()}
    figure, axes = _panels(panels, title)
    for axis, label, (values, measured, forms, counts) in zip(axes, labels, panels.values(), strict=True):
        apart = len(values) == 1 or any(isinstance(value, str) for value in values)
        places = np.arange(len(values)) if apart else np.asarray(values)
        ranks = [found.rank for triple in measured for found in triple]
        _scale(axis.yaxis, [*ranks, *counts, *(rank for form in forms for rank in form.ranks)])
        if apart:
            axis.set_xticks(places, [str(value) for value in values])
            axis.set_xlim(-0.6, len(values) - 0.4)
        else:
            _scale(axis.xaxis, values)
        for i, (color, mark) in enumerate(zip(COLORS, MARKS, strict=True)):
            at = places + 0.25 * apart * (i - 1)
            _draw_form(axis, at, forms, i, half=0.11 if apart else None)
            for x, triple in zip(at, measured, strict=True):
                face = color if triple[i].trusted else "white"
                axis.plot(
                    x, triple[i].rank, mark, color=color, markerfacecolor=face, markersize=9 - 2.5 * i, zorder=3 + i
                )
        ends = (np.stack([places - 0.4, places + 0.4]), [counts, counts]) if apart else (places, counts)
        axis.plot(*ends, "--", color="black", linewidth=1, zorder=1)
        axis.set_xlabel(label)
    axes[0].set_ylabel("rank, number of parameters")
    entries = [
        (f"rank of the {name}", dict(color=color, marker=mark, linestyle="none"))
        for name, color, mark in zip(NAMES, COLORS, MARKS, strict=True)
    ]
    if not all(found.trusted for _, measured, _, _ in panels.values() for triple in measured for found in triple):
        entries.append(("hollow: the rank is open", dict(marker="o", linestyle="none", markerfacecolor="white")))
    entries += _kinds(form for _, _, forms, _ in panels.values() for form in forms)
    _legend(figure, [*entries, ("number of parameters $p$", dict(linestyle="--", linewidth=1))])
    return axes


def plot_growth(panels, title):
    """Draw closed forms for the three ranks against the number of parameters p, both on logarithmic axes.

    Two guides show how a rank grows: p itself, and a multiple of the square root of p that passes above the
    largest rank. Lines are solid or dotted as in `plot_closed_forms`. A rank of 0 has no point, and the legend says so.

    Args:
        panels: {title: (counts, forms)}, drawn side by side on common axes. The numbers of parameters p, and for each
            of them `closed_forms.KnownRanks`, or a HessianTriple of int, whose ranks are equalities.
        title: of the figure.

    Returns:
        Array of matplotlib axes, one for each panel.

    Raises:
        ValueError: if there is nothing to draw, or if lists that belong together differ in length.

    Example:
        >>> from figures import plot_growth
        >>> from hessians import HessianTriple
        >>> forms = [HessianTriple(m, m, 2 * m) for m in (4, 8, 16)]
        >>> axes = plot_growth({"width": ([16, 64, 256], forms)}, "Growth of the ranks")
        >>> axes[0].get_xlabel()
        'number of parameters $p$'
    """
    checks.filled(panels=panels)
    for name, columns in panels.items():
        _check(name, ("counts", "forms"), columns)
    panels = {name: (counts, [*map(as_known, forms)]) for name, (counts, forms) in panels.items()}
    figure, axes = _panels(panels, title, sharex=True, sharey=True)
    every = [rank for _, forms in panels.values() for form in forms for rank in form.ranks]
    sizes = [p for counts, _ in panels.values() for p in counts]
    log_scale(axes[0].xaxis, sizes)
    log_scale(axes[0].yaxis, [rank for rank in [*every, *sizes] if rank])
    for axis, (counts, forms) in zip(axes, panels.values(), strict=True):
        line = np.array([0.8 * min(counts), 1.25 * max(counts)])
        axis.plot(line, line, "--", color="black", linewidth=1)
        largest = max(rank for form in forms for rank in form.ranks)
        if largest:
            axis.plot(line, 1.5 * largest * (line / max(counts)) ** 0.5, "-.", color="0.35", linewidth=1)
        for i in range(3):
            _draw_form(axis, np.asarray(counts), forms, i, mark=True)
        axis.set_xlabel("number of parameters $p$")
    axes[0].set_ylabel("closed form of the rank")
    entries = [
        (f"rank of the {name}", dict(color=color, marker=mark, markersize=5))
        for name, color, mark in zip(NAMES, COLORS, MARKS, strict=True)
    ]
    entries += [*_kinds(form for _, forms in panels.values() for form in forms)]
    entries.append(("proportional to $p$: $p$ itself", dict(linestyle="--", linewidth=1)))
    entries.append((r"proportional to $\sqrt{p}$", dict(linestyle="-.", linewidth=1, color="0.35")))
    _legend(figure, [*entries, *([] if all(every) else [("no point: the rank is 0", dict(linestyle="none"))])])
    return axes


def _check(panel, names, columns):
    """Check that the lists of a panel are not empty and equally long.

    Raises:
        ValueError: if not; the message names the panel and the lists.
    """
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    checks.filled(**{names[0]: columns[0]})
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"the lists of the panel {panel!r} must have one entry for each network, got {found}")


def _panels(panels, title, **shared):
    """Return a figure and its axes, one for each panel, with all titles."""
    size = max(7.5, 4.5 * len(panels)), 5.2
    figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False, layout="constrained", **shared)
    for axis, name in zip(axes[0], panels, strict=True):
        axis.set_title(name, fontsize=11)
        axis.grid(alpha=0.25)
    figure.suptitle(title, fontsize=12)
    return figure, axes[0]


def _scale(axis, numbers):
    """Make an axis logarithmic if its numbers span a factor of more than 30. Else whole numbers get whole ticks."""
    least = min((number for number in numbers if number > 0), default=1)
    if min(numbers) >= 0 and max(numbers) > _FAR * least:
        log_scale(axis, numbers)
    elif all(number == int(number) for number in numbers):
        whole_ticks(axis)


def _draw_form(axis, places, forms, i, half=None, mark=False):
    """Draw the closed form of one of the three ranks: solid where it is an equality, dotted where it is a bound.

    Args:
        axis: a matplotlib axis whose scales are set.
        places: along the horizontal axis.
        forms: one for each place. Its kind holds as far as half the way to the next place.
        i: which of the three.
        half: half the length of lines that stand alone, or None for lines from place to place.
        mark: whether every place has a mark.
    """
    heights = np.array([form.ranks[i] for form in forms], float)
    heights = positive(heights) if axis.get_yscale() == "log" else heights
    xs, ys = _middles(axis.xaxis, places), _middles(axis.yaxis, heights)
    style = dict(color=COLORS[i], linewidth=2.2 - 0.6 * i, zorder=2 + 0.1 * i)
    for sure, group in itertools.groupby(range(len(forms)), lambda number: bool(forms[number].equal[i])):
        numbers = list(group)
        kind = _SOLID if sure else _DOTTED
        if half is None:
            part = slice(2 * numbers[0], 2 * numbers[-1] + 3)  # from the middle before to the middle behind
            axis.plot(xs[part], ys[part], linestyle=kind, **style)
        else:
            for number in numbers:
                ends = [places[number] - half, places[number] + half]
                axis.plot(ends, [heights[number]] * 2, linestyle=kind, **style)
    if mark:
        axis.plot(places, heights, MARKS[i], color=COLORS[i], markersize=6 - 1.5 * i, zorder=3 + i)


def _middles(axis, values):
    """Return (2 n + 1) numbers: the values, between them what lies halfway on the axis, and at the ends themselves."""
    scale = axis.get_transform()
    there = np.asarray(scale.transform(np.asarray(values, float)))
    found = np.empty(2 * len(there) + 1)
    found[1::2] = there
    found[2:-1:2] = (there[1:] + there[:-1]) / 2
    found[[0, -1]] = there[[0, -1]]
    return scale.inverted().transform(found)


def _kinds(forms):
    """Return the legend's entries for the kinds of closed forms that there are."""
    found = {bool(equal) for form in forms for equal in form.equal}
    texts = (True, "solid: closed form, an equality", _SOLID), (False, "dotted: closed form, an upper bound", _DOTTED)
    return [(text, dict(linestyle=kind)) for sure, text, kind in texts if sure in found]


def _legend(figure, entries):
    """Write a legend below the panels, of pairs (text, style), black where the style says no other colour."""
    handles = [Line2D([], [], label=text, **{"color": "black", **style}) for text, style in entries]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2 + (figure.get_figwidth() > 8.5), fontsize=9, frameon=False
    )
