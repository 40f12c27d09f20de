"""The table of rules: how each ATen operation of PyTorch is carried out by JAX.

A key is the name of an operation, or that with its overload, such as `max` or `max.dim`. Operations that are not here
are taken apart by PyTorch's decompositions (`torch_traces`).
"""

from typing import NamedTuple

from adapters.aten_axes import AXES
from adapters.aten_layers import LAYERS
from adapters.aten_moves import MOVES
from adapters.aten_numbers import NUMBERS


class Like(NamedTuple):
    """What PyTorch says of a result."""

    shape: tuple
    dtype: object  # of NumPy


RULES = {**NUMBERS, **AXES, **MOVES, **LAYERS}
