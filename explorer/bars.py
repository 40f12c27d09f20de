"""The three ranks as bars against the number of parameters."""

from explorer import svg
from figures.style import COLORS
from hessians import SYMBOLS

_LEFT, _RIGHT, _ROW = 44, 150, 30


def draw_bars(forms, measured=None, alone=False):
    """Return an SVG picture of the ranks of the closed forms, from 0 to p, with the measured ones as marks.

    Args:
        forms: `formulas.Forms`.
        measured: HessianTriple of NumericalRank, or None.
        alone: as in `svg.picture`.
    """
    p, length = forms.values["p"], svg.WIDTH - _LEFT - _RIGHT
    parts, said = [], []
    for row, (name, rank, color) in enumerate(zip(SYMBOLS, forms.known.ranks, COLORS, strict=True)):
        y = 8 + row * _ROW
        shown = min(rank, p)
        parts.append(svg.text(_LEFT - 8, y + 14, svg.index("H", name[-1]), "end"))
        parts.append(svg.box(_LEFT, y, length, 18, fill="currentColor", fill_opacity=0.12))
        parts.append(svg.box(_LEFT, y, length * shown / p, 18, fill=color))
        parts.append(svg.text(svg.WIDTH - _RIGHT + 10, y + 14, f"{rank:,} of {p:,}, {rank / p:.0%}"))
        said.append(f"{name} {rank}")
        if measured is not None:
            x = _LEFT + length * measured[row].rank / p
            parts.append(svg.path([f"M{x:.1f} {y - 4}V{y + 22}"], stroke_width=3))
    y = 8 + 3 * _ROW + 10
    marks = "; upright marks: measured ranks" if measured is not None else ""
    parts.append(svg.text(_LEFT, y, f"Colour: rank by the formula, of p = {p:,}{marks}.", size=12))
    return svg.picture(y + 8, parts, f"Ranks by the formulas: {', '.join(said)}, of p = {p}", alone)
