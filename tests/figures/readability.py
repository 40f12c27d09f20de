"""Which labels and titles of a drawn figure lie on one another."""

import itertools

import numpy as np


def overlaps(figure):
    """Return the pairs of texts that overlap: tick labels of all panels, or titles of panels and the figure's."""
    if figure.stale:  # changed since it was drawn
        figure.draw_without_rendering()  # computes all of it, but for the pixels
    panels = [axis for axis in figure.axes if axis.get_visible()]
    groups = [[text for panel in panels for axis in (panel.xaxis, panel.yaxis) for text in tick_labels(axis)]]
    titles = [panel.title for panel in panels if panel.get_title()]
    groups.append([*titles, *([figure._suptitle] if figure.get_suptitle() else [])])
    found = {}
    for group in groups:
        boxes = [(text.get_text(), text.get_window_extent()) for text in group if not text.get_rotation() % 90]
        for (one, first), (other, second) in itertools.combinations(boxes, 2):
            common = [min(first.max[i], second.max[i]) - max(first.min[i], second.min[i]) for i in (0, 1)]
            if min(common) > 0.5:
                found[one, other] = None
    return list(found)


def tick_labels(axis):
    """Return the texts of the tick labels that are visible along an axis of a drawn figure."""
    place = axis.get_transform().transform  # on a log axis, distances are those of logarithms
    low, high = sorted(place(axis.get_view_interval()))
    margin = 1e-9 * abs(high - low)
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    inside = [tick.label1 for tick in ticks if low - margin <= place(tick.get_loc()) <= high + margin]
    return [text for text in inside if text.get_visible() and text.get_text()]


def ticks(axis):
    """Return the places of an axis's ticks, larger and smaller ones, within what a drawn figure shows."""
    low, high = sorted(axis.get_view_interval())
    places = np.concatenate([axis.get_majorticklocs(), axis.get_minorticklocs()])
    return [float(place) for place in places if low <= place <= high]


def texts(axis):
    """Return the texts written in a panel."""
    return [text.get_text() for text in axis.texts]
