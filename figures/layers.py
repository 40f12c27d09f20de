"""The layers of a network in its Hessians: a picture and a table of `blocks.Blocks`."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from figures.panels import say
from figures.rank_tables import why_open
from figures.style import NAMES
from figures.tables import text_table
from hessians import SYMBOLS

_ZERO = "the matrix is zero:\nall its blocks are 0"
_RANGE = 1e-6  # of the colours, from the largest norm down
_MOST_LABELS = 10  # ranks that can be written into one panel
_MOST_NAMES = 22  # names of layers beside it; of more layers, every second one or so on has its name


def plot_layers(found):
    """Draw the Frobenius norms of all blocks of the three matrices, a square for each pair of layers.

    A square on the diagonal has the rank of its block, and below it the number of parameters of the layer. A question
    mark follows a rank that is open. If there are more than ten layers, the numbers are left out.

    Args:
        found: HessianTriple of `blocks.Blocks`.

    Returns:
        Array of three matplotlib axes.
    """
    layers = found.loss.layers
    largest = max(each.norms.max() for each in found)
    smallest = min((each.norms[each.norms > 0].min() for each in found if each.norms.any()), default=1.0)
    norm = LogNorm(max(smallest, _RANGE * largest), max(largest, 1.001 * smallest))
    labelled, longest = range(0, len(layers), -(-len(layers) // _MOST_NAMES)), max(map(len, layers))
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.0 + 0.06 * longest), layout="constrained", sharey=True)
    for axis, each, name in zip(axes, found, NAMES, strict=True):
        image = axis.imshow(np.ma.masked_equal(each.norms, 0), norm=norm, cmap="cividis")
        axis.set_title(name, fontsize=11)
        axis.set_xticks(labelled, [layers[place] for place in labelled], rotation=90, fontsize=8)
        axis.set_yticks(labelled, [layers[place] for place in labelled], fontsize=8)
        axis.set_xlabel("layer $l$")
        if not each.norms.any():
            say(axis, _ZERO)
        elif len(layers) <= _MOST_LABELS:
            _write_ranks(axis, each, norm)
    axes[0].set_ylabel("layer $k$")
    if largest:
        extend = "min" if smallest < norm.vmin else "neither"
        label = r"Frobenius norm of the block, $\|\mathbf{H}_{kl}\|_F$ (white: zero)"
        figure.colorbar(image, ax=axes, shrink=0.8, extend=extend, label=label)
    figure.suptitle("Layer by layer: the norm of every block, and the ranks of the diagonal blocks", fontsize=12)
    return axes


def _write_ranks(axis, blocks, norm):
    size = max(5, min(9, 60 / len(blocks.layers)))
    for place, (rank, parameters, own) in enumerate(
        zip(blocks.ranks, blocks.sizes, np.diag(blocks.norms), strict=True)
    ):
        dark = own > 0 and norm(own) < 0.6
        text = f"{rank.rank:,}{'' if rank.trusted else '?'}\nof {parameters:,}"
        axis.text(place, place, text, ha="center", va="center", fontsize=size, color="white" if dark else "black")


def layer_table(found):
    """Return a text table of the diagonal blocks, a row for each layer, and why those ranks that are open are.

    Args:
        found: HessianTriple of `blocks.Blocks`.

    Example:
        >>> import numpy as np
        >>> from blocks import blocks_of
        >>> from counting import count
        >>> from figures import layer_table
        >>> from hessians import HessianTriple
        >>> rank = count(np.array([2.0, -1.0, 0.0]), 1e-15)._replace(grade="clear")
        >>> one = blocks_of({"first": np.arange(3)}, [rank], np.array([[3.0]]))
        >>> print(layer_table(HessianTriple(one, one, one)))
        layer   parameters   H_f   H_o   H_L   H_L > 0   H_L < 0   norm of H_L   smallest gap   grade
        ---------------------------------------------------------------------------------------------
        first            3     2     2     2         1         1       3.0e+00          2e+15   clear
    """
    rows, open_ones = [], []
    for place, layer in enumerate(found.loss.layers):
        ranks = [each.ranks[place] for each in found]
        opened = [symbol for symbol, rank in zip(SYMBOLS, ranks, strict=True) if not rank.trusted]
        open_ones += [(f"{symbol} of {layer}", rank) for symbol, rank in zip(SYMBOLS, ranks, strict=True)]
        signs, norm = found.loss.signs[place], found.loss.norms[place, place]
        grade = f"{', '.join(opened)} open" if opened else ranks[0].grade
        counts = [f"{rank.rank:,}" for rank in ranks]
        evidence = f"{signs.positive:,}", f"{signs.negative:,}", f"{norm:.1e}", f"{min(r.gap for r in ranks):.0e}"
        rows.append([layer, f"{found.loss.sizes[place]:,}", *counts, *evidence, grade])
    header = ["layer", "parameters", *SYMBOLS, "H_L > 0", "H_L < 0", "norm of H_L", "smallest gap", "grade"]
    return "\n".join([text_table(header, rows), *why_open(open_ones)])
