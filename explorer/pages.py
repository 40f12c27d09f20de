"""What stands beside the sliders, as HTML: the network, its formulas, its ranks, and a line to measure them again."""

import html

from explorer.bars import draw_bars
from explorer.choices import parameters, reproducing
from explorer.cliffs import draw_cliffs, gap_text
from explorer.drawing import draw_network
from explorer.expressions import symbol
from hessians import SYMBOLS

# The words for symbols that no slider shows.
_WORDS = {
    "C": "dimensions of the set of functions, by the chain formula",
    "t_L": "dimensions of the layers before the head",
    "p_conv": "parameters before the head",
    "p_L": "parameters of the head that the loss sees",
    "p_max": "parameters of the largest layer",
    "P": "parameters that the loss sees",
    "d_L": "positions before the head",
    "rho": "what layer {} adds",
    "u": "channels times positions of layer {}",
}

STYLE = """<style>
.hessian-explorer {font: 14px/1.45 system-ui, sans-serif; color: var(--jp-content-font-color1, #212121)}
.hessian-explorer h3 {font-size: 17px; margin: 0 0 4px}
.hessian-explorer p {margin: 6px 0}
.hessian-explorer table {border-collapse: collapse; margin: 6px 0; color: inherit; font-size: 14px}
.hessian-explorer td, .hessian-explorer th {padding: 3px 10px 3px 0; text-align: left; vertical-align: baseline;
  background: transparent; white-space: normal; border: 0}
.hessian-explorer tr {border-bottom: 1px solid var(--jp-border-color2, #e0e0e0); background: transparent}
.hessian-explorer td.number, .hessian-explorer th.number {text-align: right}
.hessian-explorer .terms span {display: inline-block; margin-right: 1.2em}
.hessian-explorer pre {user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; padding: 8px;
  font-size: 12px; color: inherit; background: var(--jp-cell-editor-background, #f5f5f5);
  border: 1px solid var(--jp-border-color2, #e0e0e0)}
.hessian-explorer progress {width: 160px; vertical-align: middle}
</style>"""


def network_page(choice, forms):
    """Return the name, the drawing and the formulas of a fitted choice as HTML."""
    rows = []
    for name, formula, equal in zip(SYMBOLS, forms.ranks, forms.known.equal, strict=True):
        relation = "=" if equal or not forms.of_network else "≤"
        numbers = "" if formula.numbers == str(formula.value) else f"{formula.numbers} = "
        rows.append(
            f"<tr><td>rank({symbol(name)})</td><td>{relation} {formula.symbols}<br>= {numbers}"
            f'<b data-formula="{name}">{formula.value}</b></td></tr>'
        )
    terms = " ".join(f"<span>{term}</span>" for term in _terms(forms))
    return (
        f'<div class="hessian-explorer" data-choice="{html.escape(repr(choice))}">'
        f"<h3>{_title(choice)}</h3>{draw_network(choice, forms)}"
        f"<table>{''.join(rows)}</table>"
        f'<p class="terms">{terms}</p><p>{_with_symbols(forms.remark)}</p></div>'
    )


def ranks_page(choice, forms, measured=None, exact=None):
    """Return the bars, the ranks side by side and, where they are measured, the spectra, as HTML.

    Args:
        choice: a fitted Choice.
        forms: its Forms.
        measured: HessianTriple of NumericalRank, or None.
        exact: HessianTriple of ExactRank, or None.
    """
    heading = "formula" if forms.of_network else "linear network"
    head = "".join(f'<th class="number">{word}</th>' for word in (heading, "measured", "exact", "gap"))
    rows = []
    for i, name in enumerate(SYMBOLS):
        found = measured[i] if measured else None
        proved = f'<span data-exact="{name}">{exact[i].rank}</span>' if exact else "–"
        count = f'<span data-measured="{name}">{found.rank}</span>' if found else "–"
        gap = gap_text(found.gap) if found else "–"
        cells = "".join(f'<td class="number">{each}</td>' for each in (forms.known.ranks[i], count, proved, gap))
        grade = f'<span data-grade="{name}">{found.grade}</span>' if found else "–"
        rows.append(f"<tr><td>rank({symbol(name)})</td>{cells}<td>{grade}</td></tr>")
    reasons = _reasons(measured) if measured else ""
    spectra = draw_cliffs(measured, forms.known.ranks) if measured else ""
    return (
        f'<div class="hessian-explorer" data-ranks="{html.escape(repr(choice))}">{draw_bars(forms, measured)}'
        f"<table><tr><th></th>{head}<th>grade</th></tr>{''.join(rows)}</table>{reasons}{spectra}</div>"
    )


def line_page(choice):
    """Return the line of Python that measures a choice again, as HTML. A click on it marks all of it, to be copied."""
    return (
        '<div class="hessian-explorer"><p>The same in Python, to copy (one click marks it all):</p>'
        f"<pre>{html.escape(reproducing(choice))}</pre></div>"
    )


def status_page(words, busy=False):
    """Return a sentence about what is going on as HTML, with a moving bar if something is."""
    bar = "<progress></progress> " if busy else ""
    return f'<div class="hessian-explorer" data-busy="{str(busy).lower()}"><p>{bar}{html.escape(words)}</p></div>'


def _title(choice):
    c = choice
    if c.kind == "attention":
        heads = f", {c.heads} heads" if c.heads > 1 else ""
        sizes = f"{'softmax' if c.activation == 'softmax' else 'linear'} attention{heads}, {c.tokens} tokens"
    elif c.kind == "residual":
        sizes = f"residual, {_count(c.widths, 'block')} of width {c.block_width}, {c.activation}"
    elif c.kind == "convolutional":
        sizes = f"convolutional, {_count(c.widths, 'layer')} of {c.kernel} taps and a head, {c.activation}"
    else:
        widths = "-".join(map(str, (c.inputs, *c.widths, c.outputs)))
        sizes = f"fully connected, {widths}, {c.activation}{', with biases' * c.bias}"
    return f"{sizes[0].upper()}{sizes[1:]}: <i>p</i> = {parameters(c):,}"


def _reasons(measured):
    """Return why the ranks have their grades, each reason once."""
    names = {}
    for name, found in zip(SYMBOLS, measured, strict=True):
        names.setdefault((found.grade, found.reason), []).append(name)
    listed = [f"{', '.join(those)} {grade}: {html.escape(why)}." for (grade, why), those in names.items()]
    return f"<p>{_with_symbols('<br>'.join(listed))}</p>"


def _with_symbols(words):
    """Return words as HTML, with H_f, H_o and H_L set as symbols."""
    for name in SYMBOLS:
        words = words.replace(name, symbol(name))
    return words


def _count(items, word):
    return f"{len(items)} {word}{'s' * (len(items) > 1)}"


def _terms(forms):
    """Yield every symbol of the formulas with its value, and how it comes about."""
    defined = {formula.name for formula in forms.definitions}
    used = "".join(formula.symbols for formula in (*forms.ranks, *forms.definitions))
    for formula in forms.definitions:
        if formula.name in used or formula.name == symbol("L"):
            numbers = {formula.numbers, formula.symbols} - {str(formula.value)}
            steps = [step for step in (formula.symbols, formula.numbers) if step in numbers]
            yield " = ".join(dict.fromkeys([formula.name, *steps, str(formula.value)]))
    for name, value in forms.values.items():
        letter, _, place = name.partition("_")
        words = _WORDS.get(name) or _WORDS.get(letter, "").format(place)
        if words and symbol(name) not in defined and symbol(name) in used:
            yield f"{symbol(name)} = {value} ({words})"
