r"""The text of a page as a search reads it: section by section, with formulas in plain letters, λ for $\lambda$."""

import re
import unicodedata

_SIGNS = dict(le="≤", ge="≥", times="×", cdot="·", cdots="⋯", dots="…", ldots="…", sum="Σ", in_="∈", to="→", mapsto="↦")
_SIGNS |= dict(approx="≈", pm="±", top="ᵀ", otimes="⊗", oplus="⊕", partial="∂", nabla="∇", ell="ℓ", varepsilon="ε")
_SIGNS |= dict(subseteq="⊆", perp="⊥", infty="∞", sqrt="√", langle="⟨", rangle="⟩", lceil="⌈", rceil="⌉", neq="≠")
_SIGNS |= dict(lVert="‖", rVert="‖", lvert="|", rvert="|", quad=" ", qquad=" ", frac=" ", tfrac=" ", varphi="φ")
_STYLES = re.compile(
    "math(bf|bb|cal|rm|it|sf)|text(tt|bf)?|operatorname|left|right|[bB]igg?[lr]?|(under|over)brace|bar|dot|(wide)?(hat|tilde)"
    "|hline|displaystyle"
)
_HEADINGS = "h1", "h2", "h3", "h4", "h5", "h6"


def plain_formulas(text):
    r"""Return a text with its formulas in plain letters.

    Example:
        >>> plain_formulas(r"The rank of $\mathbf{H}_\mathcal{L}$ is $2 q M - \lambda_1$, which costs 3 \$.")
        'The rank of H_L is 2 q M - λ_1, which costs 3 $.'
    """
    text = re.sub(r"(?<!\\)\$\$(.+?)\$\$", lambda found: _formula(found[1]), text, flags=re.DOTALL)
    text = re.sub(r"(?<!\\)\$([^$]+?)(?<!\\)\$", lambda found: _formula(found[1]), text)
    return text.replace(r"\$", "$")


def plain_title(markdown):
    """Return a heading of a markdown text in plain letters, without the marks of code, emphasis and links."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[`*]", "", plain_formulas(text)).strip()


def sections(soup):
    """Return the sections of a page as [{heading, anchor, text}]. A section is what stands between two headings.

    Args:
        soup: a parsed page of nbconvert. What the cells of code printed is left out.
    """
    found = [{"heading": "", "anchor": "", "text": []}]
    for block in soup.select("main .rendered_html, main .input_area"):
        if block.find_parent(class_="output"):
            continue
        for part in block.find_all(recursive=False) if "rendered_html" in block["class"] else [block]:
            if part.name in _HEADINGS:
                heading = [text for text in part.find_all(string=True) if not text.find_parent(class_="anchor-link")]
                found.append({"heading": _line("".join(heading)), "anchor": part.get("id", ""), "text": []})
            elif part.name in ("div", "pre"):  # code, in which a dollar begins no formula
                found[-1]["text"].append(" ".join(part.get_text().split()))
            else:
                found[-1]["text"].append(_line(part.get_text(" " if part.name in ("table", "ul", "ol") else "")))
    for section in found:
        section["text"] = " ".join(section["text"])
    return [section for section in found if section["heading"] or section["text"]]


def _line(text):
    return " ".join(plain_formulas(text).split())


def _formula(tex):
    tex = re.sub(r"\\(begin|end)\{\w+\*?\}", " ", tex)
    tex = re.sub(r"\\([a-zA-Z]+)", lambda found: _command(found[1]), tex)
    tex = re.sub(r"\\[,;:! ]|\\\\|[&~]", " ", tex)
    tex = re.sub(r"([_^])\{([^{}]+[-+,][^{}]+)\}", r"\1(\2)", tex)  # W_{j-1} is not W_j - 1
    return " ".join(re.sub(r"[{}\\]", "", tex).split()).replace("^ᵀ", "ᵀ").replace(" _", "_")


def _command(name):
    if _STYLES.fullmatch(name):
        return ""
    if name in _SIGNS or f"{name}_" in _SIGNS:
        return _SIGNS.get(name) or _SIGNS[f"{name}_"]
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}".replace("LAMBDA", "LAMDA"))
    except KeyError:
        return f" {name} "  # an operator, such as max
