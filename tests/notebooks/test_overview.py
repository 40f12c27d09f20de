"""notebooks/overview.py and `make html`: a site of all notebooks that is whole, and needs no network and no server."""

import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

# `overview` and `plain_text` are files in notebooks/
from overview import build, main
from plain_text import plain_formulas, plain_title

from tests.browsing import open_page
from tests.conftest import ROOT
from tests.notebooks.headless import make_here

NOTEBOOKS = {path.stem: path for path in (ROOT / "notebooks").glob("*.ipynb")}
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "my söte ✓"
    assert main(["--to", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def soups(site):
    return parsed(site)


def parsed(site):
    return {path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in site.glob("*.html")}


def cells(path, kind):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def formulas(path):
    """Return how many formulas the markdown cells of a notebook have. Code has none."""
    text = re.sub(r"```.*?```|`[^`]*`", "", "\n\n".join(cells(path, "markdown")), flags=re.DOTALL)
    return len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.DOTALL))


def broken(site, soups):
    """Return the relative links and anchors that lead nowhere, and the files that pages ask for and are not there."""
    found = []
    for name, soup in soups.items():
        links = [tag.get("href") or tag.get("src") for tag in soup.select("a[href], link[href], [src]")]
        for link in links:
            scheme, _, path, _, anchor = urlsplit(link)
            if scheme:
                continue
            target = unquote(path) or name
            known = {tag["id"] for tag in soups[target].select("[id]")} if target in soups else set()
            if not (site / target).is_file() or (anchor and unquote(anchor) not in known):
                found.append((name, link))
    return found


def test_every_notebook_has_a_page_with_a_title_and_pages_follow_each_other(site, soups):
    assert set(soups) == {f"{name}.html" for name in NOTEBOOKS} | {"index.html", "readme.html", "symbols.html"}
    assert {soup.html["lang"] for soup in soups.values()} == {"en"}
    assert len({soup.title.text for soup in soups.values()}) == len(soups)
    passed = ["index.html"]
    while following := soups[passed[-1]].select_one("nav .next"):
        assert soups[following["href"]].select_one("nav .previous")["href"] == passed[-1]
        passed.append(following["href"])
    assert sorted(passed) == sorted(soups)
    assert passed[-2:] == ["symbols.html", "readme.html"]


def test_the_committed_outputs_are_there(soups):
    for name, path in NOTEBOOKS.items():
        outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
        printed = [output.text for output in outputs if output.output_type == "stream"]
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        shown = soups[f"{name}.html"].select(".output_stream pre")
        assert [text.text.strip("\n") for text in shown] == [text.strip("\n") for text in printed]
        assert len(soups[f"{name}.html"].select(".output_png img")) == len(pictures)


def test_nothing_comes_from_a_network(site, soups):
    for soup in soups.values():
        asked = [tag.get("src") or tag.get("href") for tag in soup.select("[src], link[href]")]
        assert [address for address in asked if re.match(r"(?:\w+:)?//", address)] == []
        assert not soup.select("script:not([src]), style, iframe")
    assert "http" not in (site / "style.css").read_text(encoding="utf-8")


def test_every_relative_link_and_anchor_leads_somewhere(site, soups):
    assert broken(site, soups) == []


def test_every_picture_says_what_it_shows(soups):
    pictures = [picture for soup in soups.values() for picture in soup.select("img")]
    assert len(pictures) > 40
    assert all(picture["src"].startswith("data:image/") for picture in pictures)
    assert [picture["alt"] for picture in pictures if not re.search(r"\w{4}", picture["alt"])] == []
    assert not [picture for picture in pictures if picture["alt"].startswith("No description")]


def test_the_search_knows_every_heading_and_every_cell(site):
    known = (site / "sections.js").read_text(encoding="utf-8").replace('\\"', '"').replace("\\\\", "\\")
    for path in NOTEBOOKS.values():
        for source in cells(path, "markdown"):
            for heading in re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?s)```.*?```", "", source)):
                assert f'"heading": "{plain_title(heading)}"' in known
            for word in re.findall(
                r"\b[a-z]{5,}\b", re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|```\w*", " ", source)
            ):
                assert word in known
        for source in cells(path, "code"):
            assert " ".join(source.split()) in known


def test_formulas_in_plain_letters():
    assert plain_formulas(r"$W_{j-1}^\top \cdots W_{QK}$ and $10^{-16}$") == "W_(j-1)ᵀ ⋯ W_QK and 10^-16"
    assert plain_formulas(r"$$\mathrm{rank}(H) \le \max_i \lambda_i$$") == "rank(H) ≤ max_i λ_i"
    assert plain_formulas(r"\$3 and \$4") == "$3 and $4"
    assert plain_title(r"The *rank* of $\mathbf{H}_f$, `ranks.py`, [here](a.md)") == "The rank of H_f, ranks.py, here"


@pytest.fixture
def project(tmp_path):
    """Return a project of two notebooks, an index that lists them from z to a, and a README."""
    new, root = nbformat.v4, tmp_path / "project ✓"
    (root / "notebooks").mkdir(parents=True)
    data = {WIDGET: {"model_id": "1"}, "text/plain": "VBox(children=...)"}
    outputs = [
        new.new_output("display_data", data=data),
        new.new_output("display_data", data={**data, "text/html": "ü"}),
    ]
    links = "[a](z.ipynb#Part-two) [b](../README.md#what-it-is) [c](../ranks.py) [d](none.ipynb)"
    links += " [e](https://x.org) [f](#top)"
    written = {
        "index": [new.new_markdown_cell("# All\n\n[last](z.ipynb), [first](a.ipynb#x)")],
        "a": [
            new.new_markdown_cell(f"# Été\n\n{links} `z.ipynb` `README.md`"),
            new.new_code_cell("f'$x$'", outputs=outputs),
        ],
        "b": [new.new_markdown_cell("no title")],
        "z": [new.new_markdown_cell("# Z\n\n## Part two\n\n![p](p%20q.png)")],
    }
    for name, written_cells in written.items():
        notebook = new.new_notebook(cells=written_cells, metadata={"widgets": {"state": {}}})
        nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
    (root / "README.md").write_text("# R\n\n## What it is\n\n[z](notebooks/z.ipynb) [t](tests/)", encoding="utf-8")
    (root / "notebooks" / "p q.png").write_bytes(b"picture")
    return root


def test_links_and_widgets(project, tmp_path):
    pages = build(tmp_path / "site", project)
    assert [page.target for page in pages] == ["index.html", "z.html", "a.html", "b.html", "readme.html"]
    assert [page.title for page in pages] == ["All", "Z", "Été", "b", "README"]
    soups = parsed(tmp_path / "site")
    assert broken(tmp_path / "site", soups) == []
    soup = soups["a.html"]
    links = {link.text: link["href"] for link in soup.select("main p a")}
    expected = {"a": "z.html#Part-two", "b": "readme.html#What-it-is", "e": "https://x.org", "f": "a.html"}
    assert links == expected | {"z.ipynb": "z.html", "README.md": "readme.html"}
    shown = [output.get_text(strip=True) for output in soup.select(".output_area")]
    assert shown == ["What belongs here is interactive:make exploreshows it.", "ü"]
    assert WIDGET not in str(soup)
    assert "f'$x$'" in (tmp_path / "site" / "sections.js").read_text(encoding="utf-8")


def test_what_is_wrong_is_said_in_a_line(project, tmp_path, capsys, monkeypatch):
    (project / "notebooks" / "p q.png").unlink()
    with pytest.raises(ValueError, match=r"there is no picture p%20q\.png in .*; mend the text that shows it"):
        build(tmp_path / "site", project)
    (project / "notebooks" / "b.ipynb").write_text("{")
    with pytest.raises(ValueError, match=r"b\.ipynb is no Jupyter notebook, or a damaged one"):
        build(tmp_path / "site", project)
    (tmp_path / "file").touch()
    assert main(["--to", str(tmp_path / "file")]) == 1
    assert "file cannot be written: File exists; name another --to" in capsys.readouterr().err
    monkeypatch.setattr("overview._MATHJAX", "no-such-package")
    monkeypatch.setattr("overview.read", lambda _: [])
    monkeypatch.setattr("overview.in_order", lambda _: [])
    assert main(["--to", str(tmp_path / "site")]) == 1
    assert "error: MathJax is not installed: pip install no-such-package" in capsys.readouterr().err


def test_make_html_writes_the_site_with_the_script(tmp_path):
    own, environment = make_here(tmp_path)
    options = dict(cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    said = subprocess.run(["make", "--dry-run", *own, "html"], **options)
    assert said.stdout == f"{sys.prefix}/bin/python notebooks/overview.py\n"


def test_in_a_browser_all_formulas_are_typeset_and_nothing_is_wider_than_the_page(site):
    problems = []
    with open_page(problems, offline=True, viewport={"width": 400, "height": 800}) as page:
        for path in sorted(site.glob("*.html")):
            page.goto(path.as_uri())
            page.wait_for_selector("body.typeset")
            assert page.locator("mjx-merror, [data-mml-node=merror], merror").count() == 0
            text = page.locator("main").evaluate(
                "main => { const copy = main.cloneNode(true);"
                " copy.querySelectorAll('pre, code, mjx-container').forEach(part => part.remove());"
                " return copy.textContent; }"
            )
            assert re.findall(r".*(?:\$|\\begin|\\[a-z]).*", text) == []
            assert page.evaluate("document.documentElement.scrollWidth") == 400
            if path.stem in NOTEBOOKS:
                assert page.locator("mjx-container").count() == formulas(NOTEBOOKS[path.stem])
    assert problems == []


def test_in_a_browser_a_search_leads_to_the_section(site):
    problems = []
    with open_page(problems, offline=True) as page:
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("KRÖNECKER")
        hits = page.locator("#hits a").all_text_contents()
        (place,) = [i for i, hit in enumerate(hits) if "Measured beside predicted" in hit]
        assert page.locator("#hits a").nth(place).locator(".excerpt mark").first.text_content() == "Kronecker"
        page.keyboard.type(" narrow")  # another word leaves fewer
        assert 0 < page.locator("#hits a").count() < len(hits)
        page.locator("#words").fill("kronecker")
        for _ in range(place + 1):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/hessian_rank.html#*")
        page.wait_for_selector("body.typeset")
        assert page.locator("h2:has-text('Measured beside predicted')").bounding_box()["y"] < 200
        for words, least in (("λ", 3), ("Λ", 3), ("jax config", 10), ("no such words", 0), ("  ", 0)):
            page.locator("#words").fill(words)
            assert least <= page.locator("#hits a").count() <= (20 if least else 0)
        page.locator("#words").fill("the")
        assert page.locator("#hits a").count() == 20
        page.keyboard.press("Escape")
        assert page.locator("#found").is_hidden()
    assert problems == []


def contrast(page, selector):
    """Return how much lighter the text of an element is than the page behind it: a ratio, as WCAG defines it."""
    colours = page.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )
    light = []
    for colour in colours:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return light[0] / light[1]


def test_in_a_browser_text_is_legible_light_and_dark_and_the_header_is_not_printed(site):
    problems = []
    with open_page(problems, offline=True) as page:
        page.goto((site / "hessian_rank.html").as_uri())
        page.wait_for_selector("body.typeset")
        parts = [
            "main p",
            "mjx-container",
            "pre",
            ".highlight .c1",
            ".highlight .s2",
            ".highlight .mi",
            "main a",
            "#words",
        ]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            ratios = {part: contrast(page, part) for part in parts}
            assert all(ratio > 4.5 if scheme == "dark" else ratio < 1 / 4.5 for ratio in ratios.values()), ratios
        page.emulate_media(color_scheme="dark", media="print")
        assert contrast(page, "main p") < 1 / 4.5
        assert page.locator("header").is_hidden()
    assert problems == []
