"""What do the results look like? The `plot_` functions turn arrays into matplotlib axes, the `draw_` functions sizes.

`show_images` shows the inputs. The `order_by_` functions permute parameters so that the blocks of a matrix stand out.
The `_table` functions, `rank_list` and `summary` turn results into text, and `text_table` lays out any rows. The
`_finding` functions say in a sentence what was found.
`LOSS_TITLES` has the names of the losses for headings.
"""

from figures.closed_form_curves import plot_closed_forms, plot_growth
from figures.densities import plot_counts, plot_densities, plot_distances, plot_layer_densities, plot_sharpness
from figures.diagrams import draw_loop, draw_pieces
from figures.distributions import plot_shape, plot_truncation
from figures.feature_maps import draw_convolution
from figures.findings import exact_finding, layer_finding, rank_finding, sign_finding, sweep_finding
from figures.images import show_images
from figures.layers import layer_table, plot_layers
from figures.matrices import plot_blocks, plot_reduction
from figures.network_drawings import draw_attention, draw_hidden_layer
from figures.orders import order_by_channel, order_by_circuit, order_by_unit, ordered
from figures.rank_curves import plot_costs, plot_negatives, plot_sweep, plot_training
from figures.rank_tables import certificate_table, exact_table, rank_list, rank_table, spread_table, summary
from figures.spectra import plot_exact_spectrum, plot_judgement, plot_spectra
from figures.structured_spectra import plot_agreement, plot_spectrum
from figures.style import LOSS_TITLES
from figures.tables import (
    cost_table,
    grade_table,
    inertia_table,
    judgement_table,
    negatives_table,
    structure_table,
    text_table,
    truncation_table,
)

__all__ = [
    "LOSS_TITLES",
    "certificate_table",
    "cost_table",
    "draw_attention",
    "draw_convolution",
    "draw_hidden_layer",
    "draw_loop",
    "draw_pieces",
    "exact_finding",
    "exact_table",
    "grade_table",
    "inertia_table",
    "judgement_table",
    "layer_finding",
    "layer_table",
    "negatives_table",
    "order_by_channel",
    "order_by_circuit",
    "order_by_unit",
    "ordered",
    "plot_agreement",
    "plot_blocks",
    "plot_closed_forms",
    "plot_costs",
    "plot_counts",
    "plot_densities",
    "plot_distances",
    "plot_exact_spectrum",
    "plot_growth",
    "plot_judgement",
    "plot_layer_densities",
    "plot_layers",
    "plot_negatives",
    "plot_reduction",
    "plot_shape",
    "plot_sharpness",
    "plot_spectra",
    "plot_spectrum",
    "plot_sweep",
    "plot_training",
    "plot_truncation",
    "rank_finding",
    "rank_list",
    "rank_table",
    "show_images",
    "sign_finding",
    "spread_table",
    "structure_table",
    "summary",
    "sweep_finding",
    "text_table",
    "truncation_table",
]
