"""Pictures as SVG, which takes the colour of the text around it: legible on light and dark pages, and made at once."""

import html

from figures.style import PALETTE

WIDTH = 640  # of all pictures, in units of which a page shows as many as it has room for
MARKED = PALETTE[5]  # of what is pointed out
_PAGE = "color:var(--jp-content-font-color1, #212121)"


def picture(height, parts, title, alone=False):
    """Return an SVG element of `WIDTH` units, as wide as its place but no wider.

    Args:
        height: in the same units.
        parts: list of SVG elements, in the order of drawing.
        title: what the picture says, for those who do not see it.
        alone: whether it is a file of its own, dark on white, and not part of a page.
    """
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    style = "background:#ffffff;color:#212121" if alone else f"width:100%;max-width:{WIDTH}px;{_PAGE}"
    size = f' width="{WIDTH}" height="{height}"' if alone else ""
    return (
        f'<svg{space} viewBox="0 0 {WIDTH} {height}"{size} role="img" style="{style}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="currentColor">'
        f"<title>{html.escape(title)}</title>{''.join(parts)}</svg>"
    )


def text(x, y, words, anchor="start", size=13, **attributes):
    """Return a text at a point. Its baseline is at y. Words may hold <tspan> elements."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{_more(attributes)}>{words}</text>'


def box(x, y, width, height, **attributes):
    """Return a rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"{_more(attributes)}/>'


def path(points, **attributes):
    """Return lines: a list of moves such as 'M 0 0 L 1 1', as one element."""
    return f'<path d="{" ".join(points)}" fill="none"{_more({"stroke": "currentColor"} | attributes)}/>'


def dots(points, radius, **attributes):
    """Return a dot at every point (x, y), all of them as one element."""
    places = [f"M{x:.1f} {y:.1f}h0" for x, y in points]
    return path(places, **{"stroke_width": 2 * radius, "stroke_linecap": "round"} | attributes)


def index(letter, number):
    """Return a symbol with an index, for `text`."""
    below = f'<tspan dy="3" font-size="10">{number}</tspan><tspan dy="-3"> </tspan>'
    return f'<tspan font-style="italic">{letter}</tspan>{below}'


def stacked(pictures):
    """Return one picture, a file of its own, of several such that stand above each other.

    Args:
        pictures: list of texts, as `picture` returns them.
    """
    parts, top = [], 0
    for each in pictures:
        parts.append(each.replace("<svg", f'<svg y="{top}"', 1))
        top += int(each.split('height="', 1)[1].split('"', 1)[0])
    return picture(top, parts, "The explorer as it begins", alone=True)


def _more(attributes):
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
