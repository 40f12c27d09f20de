"""What is the rank of a Hessian that is too large to be formed? Products with random vectors tell.

`sketched_ranks` gives the ranks of H_f, H_o and H_L of a network, and `sketched_blocks` those of its layers.
`sketched_rank` gives that of any symmetric matrix whose products with vectors are known, and `factor_rank` that of
H = A^T A from products with A. The operators (`loss_operator` and the others) are the products for a network.
"""

from matrix_free.operators import factor_operator, functional_operator, loss_operator, outer_operator
from matrix_free.probed_blocks import sketched_blocks
from matrix_free.probed_ranks import factor_rank, sketched_rank, sketched_ranks

__all__ = [
    "factor_operator",
    "factor_rank",
    "functional_operator",
    "loss_operator",
    "outer_operator",
    "sketched_blocks",
    "sketched_rank",
    "sketched_ranks",
]
