"""The measured spectra, with the threshold, the gap and the grade of each rank."""

import numpy as np

from explorer import svg
from figures.style import COLORS
from hessians import SYMBOLS

_LEFT, _WIDE, _TOP, _HIGH = 44, 178, 50, 170
_FLOOR = -40.0  # decades, the most that are drawn


def draw_cliffs(measured, predicted, alone=False):
    """Return an SVG picture of the sorted sizes of the three spectra, on a log axis.

    Args:
        measured: HessianTriple of NumericalRank.
        predicted: HessianTriple of int, the ranks by the formulas.
        alone: as in `svg.picture`.
    """
    rows = [_sizes(found) for found in measured]
    low = max(min(_lowest(found, *row) for found, row in zip(measured, rows, strict=True)), _FLOOR)
    parts, said = [], []
    for place, (found, rank, row) in enumerate(zip(measured, predicted, rows, strict=True)):
        name, left = SYMBOLS[place], _LEFT + place * (_WIDE + 22)
        parts.append(
            svg.text(left, _TOP - 26, f"{svg.index('H', name[-1])} rank {found.rank}", size=14, font_weight="bold")
        )
        parts.append(svg.text(left, _TOP - 9, f"{found.grade}, gap {gap_text(found.gap)}", size=12))
        parts += _panel(*row, found.rank, rank, COLORS[place], left, low)
        said.append(f"{name} rank {found.rank}, gap {gap_text(found.gap)}, {found.grade}")
    step = 4 if low > -22 else 8
    for decade in range(0, int(low) - 1, -step):
        y = _height(decade, low)
        parts.append(svg.text(_LEFT - 6, y + 4, f'10<tspan dy="-4" font-size="8">{decade}</tspan>', "end", 11))
    note = "Dots: sizes relative to the largest. Dashed: threshold. Dotted: rank by the formula. Orange: gap."
    parts.append(svg.text(_LEFT, _TOP + _HIGH + 52, note, size=12))
    return svg.picture(_TOP + _HIGH + 60, parts, f"Measured: {'; '.join(said)}", alone)


def _sizes(found):
    """Return the sizes to draw, their threshold, and what they are, relative to the largest.

    H_o = A^T A is counted by the singular values of A where A is known. Its eigenvalues are their squares, and the
    threshold with them lies far below rounding.
    """
    sizes = abs(found.spectrum)
    largest = sizes[0] or 1.0
    if 0 < found.threshold < 1e-20 * largest:
        return np.sqrt(sizes / largest), np.sqrt(found.threshold / largest), "singular values of its factor"
    return sizes / largest, found.threshold / largest, "|eigenvalues|"


def _panel(sizes, threshold, what, rank, predicted, color, left, low):
    """Return the elements of one matrix."""
    p = len(sizes)
    y = lambda size: _height(np.log10(size) if size > 0 else low, low)
    x = lambda place: left + _WIDE * (place - 0.5) / p
    parts = [svg.box(left, _TOP, _WIDE, _HIGH, fill="none", stroke="currentColor", stroke_opacity=0.4)]
    parts.append(svg.text(left + _WIDE / 2, _TOP + _HIGH + 30, what, "middle", 11))
    for place, anchor in ((1, "start"), (p, "end")):
        parts.append(svg.text(left + _WIDE * (place == p), _TOP + _HIGH + 16, f"{place:,}", anchor, 11))
    if not sizes[0]:
        return [*parts, svg.text(left + _WIDE / 2, _TOP + _HIGH / 2, "the matrix is zero", "middle")]
    if rank < p:
        top, bottom = y(sizes[rank - 1]), y(max(sizes[rank], np.finfo(float).eps))  # as the gap is counted
        parts.append(svg.box(left, top, _WIDE, bottom - top, fill=svg.MARKED, fill_opacity=0.25))
    points = [(x(place), y(size)) for place, size in enumerate(sizes, start=1)]
    parts.append(svg.dots(points, 2.5 if p < 60 else 1.6, stroke=color))
    parts.append(svg.path([f"M{left} {y(threshold):.1f}h{_WIDE}"], stroke_dasharray="6 4", stroke_width=1.5))
    if predicted <= p:
        edge = left + _WIDE * predicted / p
        parts.append(svg.path([f"M{edge:.1f} {_TOP}v{_HIGH}"], stroke_dasharray="1 4", stroke_width=2))
    return parts


def _lowest(found, sizes, threshold, what):
    """Return the decade down to which a panel has to reach: a little below its threshold, and below all it counts."""
    counted = sizes[found.rank - 1] if found.rank else 1.0
    return np.log10(min(threshold or 1e-16, counted)) - 2.5


def _height(decade, low):
    return _TOP + _HIGH * min(decade / low, 1.0)


def gap_text(gap):
    """Return a gap as it is shown, such as 5e+13."""
    return "∞" if np.isinf(gap) else f"{gap:.0e}"
