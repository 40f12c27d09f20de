"""Networks as pairs of functions, (init_fn, apply_fn): what a reader calls of the folder `networks/`.

`fully_connected` is the paper's network, and `polynomial` has powers as activation functions. `residual`, `attention`,
`convolutional`, `tied`, `recurrent` and `transformer` are what their names say. All of them take an initializer, and
all return

    init_fn(key, (-1, ...)) -> (shape of the outputs, params),     apply_fn(params, inputs) -> predictions

with params in float64. `apply_fn` is one function object for each architecture, so that networks of one shape are
compiled once.
"""

from networks.activations import ACTIVATIONS, PIECEWISE_LINEAR
from networks.attention_heads import Head, attention
from networks.convolutions import convolutional
from networks.perceptrons import count_parameters, fully_connected, polynomial
from networks.residual_branches import residual
from networks.transformers import transformer
from networks.weight_tying import recurrent, tied

__all__ = [
    "ACTIVATIONS",
    "PIECEWISE_LINEAR",
    "Head",
    "attention",
    "convolutional",
    "count_parameters",
    "fully_connected",
    "polynomial",
    "recurrent",
    "residual",
    "tied",
    "transformer",
]
