"""What are the ranks of a Hessian, by theory? Integers in, integers out.

`linear_ranks`, `biased_ranks` and `critical_ranks` give the ranks of H_f, H_o and H_L of a plain linear network: in
general, with a bias in every layer, and at a critical point. `functional_rank`, `outer_rank` and `loss_rank` give one
of them each, and `flag_rank` gives that of H_o for any weights. `layer_ranks` are those of the layers' blocks.
`effective_outputs` says what takes the place of the number of outputs, by the loss.

`residual_ranks`, `attention_ranks`, `convolutional_ranks`, `one_hidden_layer_ranks`, `polynomial_ranks`, `tied_ranks`
and `recurrent_ranks` are for the networks that their names say. They return `KnownRanks`, which say which of the three
ranks are equalities and which are upper bounds. `balanced_eigenvalues` are all eigenvalues at a balanced minimum.
"""

from closed_forms.attention import attention_ranks
from closed_forms.balanced_minima import balanced_eigenvalues
from closed_forms.convolutional import convolutional_ranks
from closed_forms.known import KnownRanks
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
from closed_forms.one_hidden_layer import one_hidden_layer_ranks, polynomial_ranks
from closed_forms.residual import residual_ranks, residual_ranks_without_layers
from closed_forms.tied import recurrent_ranks, tied_ranks

__all__ = [
    "KnownRanks",
    "attention_ranks",
    "balanced_eigenvalues",
    "biased_ranks",
    "convolutional_ranks",
    "critical_ranks",
    "effective_outputs",
    "flag_rank",
    "functional_rank",
    "layer_ranks",
    "linear_ranks",
    "loss_rank",
    "one_hidden_layer_ranks",
    "outer_rank",
    "polynomial_ranks",
    "recurrent_ranks",
    "residual_ranks",
    "residual_ranks_without_layers",
    "tied_ranks",
]
