"""All notebooks as one site that reads without a network: `python notebooks/overview.py [--to FOLDER]`.

Nothing is executed: the pages show the outputs that are in the notebooks. The README and the list of symbols become
pages as well. The site holds all that it needs, MathJax and a search included, and opens without a server.
"""

import argparse
import base64
import importlib.metadata
import json
import mimetypes
import os
import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from plain_text import plain_title, sections

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "hessian-rank"
_PARTS = Path(__file__).resolve().parent / "overview"  # template, styles and scripts
_INDEX = "notebooks/index.ipynb"
# Pages that are no notebooks: {source: (name of the page, title)}.
_TEXTS = {"docs/symbols.md": ("symbols.html", "Symbols"), "README.md": ("readme.html", "README")}
# A package that is nothing but MathJax. Its SVG output has the fonts as outlines: browsers refuse font files of file://.
_MATHJAX = "django-static-mathjax"
_MATHJAX_FILES = "es5/tex-svg.js", "LICENSE"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_NEEDS_A_KERNEL = "<p class='needs-kernel'>What belongs here is interactive: <code>make explore</code> shows it.</p>"


class Page(NamedTuple):
    """A page of the site: the path of its source in the project, its own name, its title, and its cells."""

    source: str
    target: str
    title: str
    notebook: object


def main(arguments=None):
    """Write the site to the folder that the command line names. Return 1, with the reason on stderr, if that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--to", type=lambda text: Path(os.path.expanduser(text)), default=ROOT / "site", metavar="FOLDER"
    )
    options = parser.parse_args(arguments)
    try:
        pages = build(options.to)
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        return 130  # what a shell expects after Ctrl-C
    except OSError as error:
        print(f"\nerror: {options.to} cannot be written: {error.strerror or error}; name another --to", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    print(f"{len(pages)} pages. Open {options.to / 'index.html'} in a browser.")
    return 0


def build(folder, root=ROOT):
    """Write the site of a project, and return its pages in their order.

    Args:
        folder: to write to. Files of the same names are replaced, others stay.
        root: folder of the project, with `notebooks/`.

    Raises:
        ValueError: for a notebook that cannot be read, or a picture that is not there.
        RuntimeError: if MathJax is not installed.
        OSError: if the site cannot be written.
    """
    from tqdm import tqdm

    root, folder = Path(root), Path(folder)
    pages = in_order(read(root))
    folder.mkdir(parents=True, exist_ok=True)
    bar = tqdm(pages, desc="Rendering", unit=" pages")
    texts = [page for page in pages if page.source in _TEXTS]
    soups = {page.target: rendered(page, before, after, texts) for before, page, after in _with_neighbours(bar, pages)}
    anchors = {target: [tag["id"] for tag in soup.select("[id]")] for target, soup in soups.items()}
    found = []
    for page in pages:
        soup = soups[page.target]
        relink(soup, page.source, {other.source: other.target for other in pages}, anchors)
        embed_pictures(soup, (root / page.source).parent)
        (folder / page.target).write_text(str(soup), encoding="utf-8")
        found += [{"page": page.target, "title": page.title, **section} for section in sections(soup)]
    lines = ",\n".join(json.dumps(section, ensure_ascii=False) for section in found)
    # A script, as browsers refuse to fetch data from file://.
    (folder / "sections.js").write_text(f"const SECTIONS = [\n{lines}\n];\n", encoding="utf-8")
    for name in ("style.css", "math.js", "search.js"):
        shutil.copyfile(_PARTS / name, folder / name)
    copy_mathjax(folder / "mathjax")
    return pages


def read(root):
    """Return the pages of a project: the notebooks by name, then the texts. An index is made if there is none."""
    import nbformat

    pages = []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # of many kinds: nbformat expects JSON of a certain form
            raise ValueError(f"{path} is no Jupyter notebook, or a damaged one: {type(error).__name__}") from error
        title = _title(notebook, path.stem)
        pages.append(Page(f"notebooks/{path.name}", f"{path.stem}.html", title, without_widgets(notebook)))
    if _INDEX not in {page.source for page in pages}:
        listed = "\n".join(f"* [{page.title}]({posixpath.basename(page.source)})" for page in pages)
        pages.append(Page(_INDEX, "index.html", PROJECT, _one_cell(f"# {PROJECT}\n\n{listed}")))
    for source, (target, title) in _TEXTS.items():
        if (root / source).is_file():
            pages.append(Page(source, target, title, _one_cell((root / source).read_text(encoding="utf-8"))))
    return pages


def in_order(pages):
    """Return the pages as they are read: the index, the notebooks as it links to them, the other ones, the texts."""
    (index,) = [page for page in pages if page.source == _INDEX]
    text = "\n".join(cell.source for cell in index.notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)\s#]+)", text)
    linked = [posixpath.normpath(posixpath.join("notebooks", unquote(link))) for link in links]

    def place(page):
        listed = linked.index(page.source) if page.source in linked else len(linked)
        return page is not index, page.source in _TEXTS, listed

    return sorted(pages, key=place)


def without_widgets(notebook):
    """Return a notebook in which outputs that need a kernel are shown by their other forms, or by a word about them."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if _WIDGET in output.get("data", {}):
                del output.data[_WIDGET]
                # The plain text of a widget is the expression that makes it.
                if not set(output.data) - {"text/plain"}:
                    output.data = {"text/html": _NEEDS_A_KERNEL}
    notebook.metadata.pop("widgets", None)
    return notebook


def rendered(page, before, after, texts):
    """Return a page as HTML, parsed. Links and pictures are still those of the source.

    Args:
        page: a Page.
        before: the page before it, or None.
        after: the page after it, or None.
        texts: pages to which each page links at its end.
    """
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name=_PARTS.name,
        extra_template_basedirs=[str(_PARTS.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    heading = page.title
    for cell in page.notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"(?m)^#+ (.*)$", cell.source) or [heading])[-1]
        else:  # for pictures that do not say themselves what they show
            cell.metadata.setdefault("alt", f"Figure of the section “{plain_title(heading)}”")
    said = dict(project=PROJECT, title=page.title, previous=_named(before), next=_named(after))
    said["texts"] = [_named(text) for text in texts]
    html, _ = exporter.from_notebook_node(page.notebook, {"page": said})
    soup = BeautifulSoup(html, "html.parser")
    # For pictures of lines, nbconvert does not ask the cell.
    for picture in soup.select("main img[alt^='No description']"):
        before = picture.find_previous(["h1", "h2", "h3"])
        picture["alt"] = f"Figure of the section “{before.text.rstrip('¶') if before else page.title}”"
    return soup


def relink(soup, source, targets, anchors):
    """Let links to what is in the site lead there, and make text of links to other files, which are not in it.

    Args:
        soup: a parsed page, changed in place.
        source: path of its source in the project.
        targets: {path of a source: name of its page}.
        anchors: {name of a page: list of its anchors}.
    """
    for link in soup.select("main a[href]"):
        scheme, host, path, _, anchor = urlsplit(link["href"])
        if scheme or host:
            continue
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(path))) if path else source
        if joined not in targets:
            link.unwrap()
            continue
        target = targets[joined]
        # GitHub's anchors are in small letters, and nbconvert's are not.
        same = [known for known in anchors[target] if known.lower() == unquote(anchor).lower()]
        link["href"] = (target if path else "") + (f"#{quote(same[0])}" if same else "") or target
    for code in soup.select("main .rendered_html code"):  # a page that is named without a link
        target = targets.get(code.text) or targets.get(f"notebooks/{code.text}")
        if target and not code.find_parent("a"):
            code.wrap(soup.new_tag("a", href=target))


def embed_pictures(soup, folder):
    """Put pictures that are files into the page itself.

    Raises:
        ValueError: if there is no such file.
    """
    for picture in soup.select("img[src]"):
        if not picture["src"].startswith("data:"):
            path = folder / unquote(picture["src"])
            if not path.is_file():
                raise ValueError(f"there is no picture {picture['src']} in {folder}; mend the text that shows it")
            kind = mimetypes.guess_type(path.name)[0]
            picture["src"] = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def copy_mathjax(folder):
    """Copy what the pages need of MathJax: one script that holds the fonts, and the licence.

    Raises:
        RuntimeError: if it is not installed.
    """
    try:
        installed = importlib.metadata.distribution(_MATHJAX)
    except importlib.metadata.PackageNotFoundError:
        raise RuntimeError(f"MathJax is not installed: pip install {_MATHJAX}, as in requirements.txt") from None
    folder.mkdir(exist_ok=True)
    for name in _MATHJAX_FILES:
        shutil.copyfile(installed.locate_file(f"mathjax/static/mathjax/{name}"), folder / Path(name).name)


def _with_neighbours(steps, pages):
    return zip([None, *pages], steps, [*pages[1:], None], strict=False)


def _named(page):
    return page and {"target": page.target, "title": page.title}


def _title(notebook, otherwise):
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = re.search(r"(?m)^# (.*)$", "\n\n".join(texts))
    return plain_title(found[1]) if found else otherwise


def _one_cell(text):
    import nbformat

    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


if __name__ == "__main__":
    sys.exit(main())
