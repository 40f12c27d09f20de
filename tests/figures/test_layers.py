import numpy as np
import pytest

from blocks import blocks_of
from counting import count
from figures import layer_table, plot_layers, rank_list, rank_table
from hessians import HessianTriple, WithPenalty
from tests.figures.readability import overlaps, texts, tick_labels


def rank_of(*eigenvalues, grade="clear", reason=""):
    return count(np.array(eigenvalues), 1e-15)._replace(grade=grade, reason=reason)


def blocks(layers, norm=1.0, **grade):
    """Return Blocks of so many layers of three parameters, with the eigenvalues 2, -1, 0 each."""
    places = {f"Dense_{number}": np.arange(3 * number, 3 * number + 3) for number in range(layers)}
    norms = norm * np.exp(-abs(np.subtract.outer(np.arange(layers), np.arange(layers))))
    return blocks_of(places, [rank_of(2.0, -1.0, 0.0, **grade)] * layers, norms)


def test_squares_have_norms_and_those_on_the_diagonal_ranks():
    zero = blocks(2, norm=0.0)._replace(ranks=(rank_of(0.0, 0.0, 0.0),) * 2)
    axes = plot_layers(HessianTriple(zero, blocks(2, 3.0, grade="open"), blocks(2)))
    assert texts(axes[0]) == ["the matrix is zero:\nall its blocks are 0"]
    assert texts(axes[1]) == ["2?\nof 3"] * 2
    assert texts(axes[2]) == ["2\nof 3"] * 2
    assert axes[0].images[0].get_array().mask.all()
    np.testing.assert_allclose(axes[1].images[0].get_array(), blocks(2, 3.0).norms)


@pytest.mark.parametrize("layers", [1, 5, 10, 60])
def test_names_of_layers_never_overlap(layers):
    axes = plot_layers(HessianTriple(*[blocks(layers)] * 3))
    assert overlaps(axes[0].figure) == []
    names = [text.get_text() for text in tick_labels(axes[0].yaxis)]
    assert names == [f"Dense_{number}" for number in range(0, layers, 3 if layers == 60 else 1)]
    assert bool(texts(axes[0])) == (layers < 60)


def test_a_row_for_each_layer_and_a_sentence_for_what_is_open():
    open_one = blocks(2, grade="open", reason="it may be 3")
    header, _, first, second, *notes = layer_table(HessianTriple(blocks(2), open_one, blocks(2))).splitlines()
    assert header.split()[:5] == ["layer", "parameters", "H_f", "H_o", "H_L"]
    assert first.split()[:8] == ["Dense_0", "3", "2", "2", "2", "1", "1", "1.0e+00"]
    assert second.endswith("H_o open")
    assert notes == ["H_o of Dense_0 and H_o of Dense_1 are open: it may be 3"]


def test_ranks_with_a_penalty_stand_beside_those_without_it():
    one, full = rank_of(1.0, 0.0, 0.0), rank_of(1.0, 1.0, 1.0)
    found = WithPenalty(functional=one, outer=one, loss=full, penalty=full, without=one)
    lines = rank_list(found).splitlines()
    assert [line.split("=")[0].strip() for line in lines] == [
        "rank(H_f)",
        "rank(H_o)",
        "rank(H_L)",
        "rank(penalty)",
        "rank(H_L + penalty)",
    ]
    assert [int(line.split()[-4]) for line in lines] == [1, 1, 1, 3, 3]
    rows = rank_table(found, HessianTriple(1, 1, 2)).splitlines()[2:]
    assert [("yes" in row, "no" in row) for row in rows] == [(True, False)] * 2 + [(False, True)] + [(False, False)] * 2
