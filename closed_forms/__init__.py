"""What are the ranks of a linear network's Hessian, by theory? Integers in, integers out.

`linear_ranks`, `biased_ranks` and `critical_ranks` give the ranks of H_f, H_o and H_L: in general, with a bias in every
layer, and at a critical point. `functional_rank`, `outer_rank` and `loss_rank` give one of them each, and `flag_rank`
gives that of H_o for any weights. `layer_ranks` are those of the layers' blocks. `effective_outputs` says what takes
the place of the number of outputs, by the loss.
"""

from closed_forms.linear import (
    biased_ranks,
    critical_ranks,
    effective_outputs,
    flag_rank,
    functional_rank,
    layer_ranks,
    linear_ranks,
    loss_rank,
    outer_rank,
)

__all__ = [
    "biased_ranks",
    "critical_ranks",
    "effective_outputs",
    "flag_rank",
    "functional_rank",
    "layer_ranks",
    "linear_ranks",
    "loss_rank",
    "outer_rank",
]
