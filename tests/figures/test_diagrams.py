import matplotlib.colors
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from closed_forms import linear_ranks
from figures.diagrams import draw_loop, draw_pieces
from figures.style import COLORS
from linear_networks.reduced_matrix import pieces

SHAPES = [(9, 12, 4, 9), (10, 12, 4, 7), (5, 12, 8, 5), (6, 3, 5, 6), (7, 5, 3, 7), (3, 5, 7, 3), (3, 6, 1, 2)]


@pytest.mark.parametrize(("d", "m", "K", "r"), SHAPES)
def test_the_pieces_have_the_sizes_of_the_reduction_and_the_area_of_the_rank(d, m, K, r):
    axis = draw_pieces(d, m, K, r)
    drawn = {patch.get_gid(): (patch.get_height(), patch.get_width()) for patch in axis.patches if patch.get_gid()}
    assert drawn.pop("V_1") == (m, d)
    assert drawn.pop("V_2") == (K, m)
    assert sum(height * width for height, width in drawn.values()) == linear_ranks(r, K, [m]).loss
    texts = [text.get_text() for text in axis.texts]
    assert all(f"${name}$\n{height} × {width}" in texts for name, (height, width) in drawn.items())

    rng = np.random.default_rng(0)
    found = pieces([rng.normal(size=(m, r)), rng.normal(size=(K, m))], rng.normal(size=(K, r)))
    for layer, in_layer in enumerate(found, 1):
        for piece in in_layer:
            kind = "Z" if piece.above is None else "Y" if piece.below is None else "X"
            assert drawn.pop(f"{kind}_{layer}") == (piece.left.shape[1], piece.right.shape[1])
    assert not drawn


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pieces_do_not_overlap(shape):
    axis = draw_pieces(*shape)
    boxes = {patch.get_gid(): patch.get_bbox() for patch in axis.patches if patch.get_gid()}
    covered = np.zeros((2, 20, 20), int)
    for name, box in boxes.items():
        layer, outer = int(name[-1]) - 1, boxes[f"V_{name[-1]}"]
        if not name.startswith("V"):
            assert outer.x0 - 1e-9 < box.x0 < box.x1 < outer.x1 + 1e-9
            first = round(box.x0 - outer.x0)
            covered[layer, round(box.y0) : round(box.y1), first : first + round(box.width)] += 1
    assert covered.max() == 1


def test_by_default_the_data_have_full_rank():
    texts = [text.get_text() for text in draw_pieces(9, 12, 4).texts]
    assert "$X_1$\n4 × 9" in texts
    assert "no\ndata" not in texts
    assert "layer 1: $V_1$, 12 × 9" in texts
    assert "not seen" in texts


@pytest.mark.parametrize("layers", [1, 2, 3, 6])
def test_a_loop_has_an_arrow_for_every_map(layers):
    cycle, loops = draw_loop(layers)
    arrows = [patch for patch in cycle.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == layers + 1
    texts = [text.get_text() for text in cycle.texts]
    assert all(f"$W_{{{layer}}}$" in texts for layer in range(1, layers + 1))
    assert r"$\Omega^\top$" in texts
    color = matplotlib.colors.to_rgba(COLORS.outer)
    highlighted = [patch for patch in loops.patches if patch.get_edgecolor() == color]
    assert len(highlighted) == layers + 1
    weights = [text.get_text() for text in loops.texts if text.get_color() == COLORS.outer]
    assert weights == ["1"] * layers + [r"$\lambda_i$"]


def test_the_loop_runs_from_the_inputs_to_the_outputs_and_back():
    """Every arrow starts near one node and ends near the next one, and Omega^T closes the loop."""
    cycle, _ = draw_loop(3)
    nodes = [text.get_position() for text in cycle.texts if "mathbb" in text.get_text()]
    arrows = [patch._path_original.vertices for patch in cycle.patches if isinstance(patch, FancyArrowPatch)]
    for number, points in enumerate(arrows):
        assert np.linalg.norm(points[0] - nodes[number]) < 0.3
        assert np.linalg.norm(points[-1] - nodes[(number + 1) % 4]) < 0.3
