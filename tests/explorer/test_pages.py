"""Pictures and pages of the explorer: what they mark, what they say, and that they are well-formed."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from counting import NumericalRank
from explorer import Choice, explore, forms, nearest
from explorer.bars import draw_bars
from explorer.choices import FIRST, KINDS
from explorer.cliffs import draw_cliffs
from explorer.drawing import draw_network
from explorer.pages import line_page, network_page, ranks_page, status_page
from explorer.svg import MARKED, stacked
from hessians import HessianTriple
from tests.oracles.explorer_page import drawn


def found(spectrum, rank, gap=1e9, threshold=1e-14, grade="clear"):
    return NumericalRank(rank, gap, threshold, np.array(spectrum), grade, "it is so")


SPECTRA = [
    HessianTriple(found([2.0, -1.0, 1e-16], 2), found([1.0, 1e-3, 0.0], 2, threshold=1e-29), found([3.0, 1.0, 1.0], 3)),
    HessianTriple(*[found([0.0, 0.0, 0.0], 0, np.inf, 0.0)] * 3),
    HessianTriple(*[found([1.0], 1)] * 3),
]


@pytest.mark.parametrize("seed", range(20))
def test_every_picture_is_well_formed_alone_or_in_a_page(seed):
    choice = drawn(np.random.default_rng([9, seed]), largest=1500)
    known = forms(choice)
    for alone in (False, True):
        for picture in (draw_network(choice, known, alone), draw_bars(known, SPECTRA[0], alone)):
            assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "NaN" not in draw_network(choice, known)


@pytest.mark.parametrize("measured", SPECTRA, ids=["usual", "zero", "one parameter"])
def test_spectra_of_all_kinds_are_drawn(measured):
    picture = draw_cliffs(measured, HessianTriple(1, 1, 1))
    assert ElementTree.fromstring(picture).tag == "svg"
    assert "nan" not in picture
    assert "inf" not in picture
    assert picture.count("the matrix is zero") == 3 * (measured is SPECTRA[1])


@pytest.mark.parametrize(
    ("choice", "narrowest"),
    [
        (Choice(), ["hidden 5"]),
        (Choice(widths=(12, 11)), ["outputs 10"]),
        (Choice(widths=(4, 4)), ["hidden 4", "hidden 4"]),
        (Choice(data_rank=2), ["inputs 25"]),
        (FIRST["residual"], ["outputs 10"]),
        (FIRST["attention"], ["values 3"]),
        (FIRST["convolutional"], ["outputs 5"]),
    ],
)
def test_the_bottleneck_is_marked(choice, narrowest):
    choice = nearest(choice)
    picture = draw_network(choice, forms(choice))
    title = ElementTree.fromstring(picture).find("title").text
    assert [part.strip() for part in title.split(":")[1].split(",") if "(bottleneck)" in part] == [
        f"{layer} (bottleneck)" for layer in narrowest
    ]
    assert picture.count(MARKED) == len(narrowest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_says_what_the_formulas_say(kind):
    choice = FIRST[kind]
    known = forms(choice)
    page = network_page(choice, known)
    for name, rank in zip(("H_f", "H_o", "H_L"), known.known.ranks, strict=True):
        assert f'data-formula="{name}">{rank}</b>' in page
    assert ("≤" in page) == (not all(known.known.equal))
    for text in (page, ranks_page(choice, known), line_page(choice), status_page("5 < 6 & so", busy=True)):
        ElementTree.fromstring(text.replace("<br>", "<br/>").replace("&quot;", "'"))


def test_measured_and_exact_ranks_stand_beside_the_formula():
    choice = Choice()
    exact = HessianTriple(*[found([1.0], rank) for rank in (7, 8, 9)])
    page = ranks_page(choice, forms(choice), SPECTRA[0], exact)
    assert 'data-measured="H_f">2<' in page
    assert 'data-exact="H_L">9<' in page
    assert "clear: it is so." in page


def test_pictures_can_stand_above_each_other():
    known = forms(Choice())
    whole = ElementTree.fromstring(stacked([draw_bars(known, alone=True)] * 2))
    inner = [child for child in whole if child.tag.endswith("svg")]
    assert [float(child.get("y")) for child in inner] == [0, float(inner[0].get("height"))]
    assert float(whole.get("height")) == 2 * float(inner[0].get("height"))


def test_the_widget_has_a_picture_for_pages_without_widgets():
    bundle = explore(Choice(widths=(2,), inputs=2, outputs=1))._repr_mimebundle_()
    assert {"image/svg+xml", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(bundle)
    assert "<svg" in bundle["image/svg+xml"]


def sliders_of(widget):
    left, _ = widget.children[1].children
    return {control.description: control for control in left.children}


def test_controls_follow_each_other():
    sliders = sliders_of(explore(Choice(widths=(5, 10, 3))))
    assert sliders["width m₃"].layout.display is None
    sliders["hidden layers"].value = 1
    assert sliders["width m₃"].layout.display == "none"
    sliders["inputs d"].value = 4  # r was as large as could be, and stays so
    assert (sliders["data rank r"].value, sliders["data rank r"].max) == (4, 4)
    sliders["inputs d"].value = 9
    assert sliders["data rank r"].value == 9
    sliders["data rank r"].value = 3
    sliders["inputs d"].value = 10
    assert sliders["data rank r"].value == 3
    sliders["outputs K"].value = 1
    sliders["loss"].value = "cross"
    assert sliders["outputs K"].value == 2


def test_another_kind_begins_with_numbers_of_its_own():
    widget = explore(Choice())
    sliders = sliders_of(widget)
    sliders["network"].value = "attention"
    assert {"keys d_k", "values d_v", "token size d"} <= set(sliders_of(widget))
    assert sliders["hidden layers"].layout.display == "none"
    assert sliders["activation"].options == ("linear", "softmax")
    page = widget.children[1].children[1].children[0].value
    assert repr(FIRST["attention"]).replace("'", "&#x27;") in page


def test_networks_that_are_too_large_are_not_measured():
    widget = explore(nearest(Choice(widths=(20, 20, 20, 20), inputs=30)))
    buttons = widget.children[1].children[1].children[1].children
    assert [button.disabled for button in buttons[:2]] == [True, True]
    assert "More than 1500 parameters" in widget.children[1].children[1].children[2].value
