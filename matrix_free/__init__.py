"""What are the rank and the spectrum of a Hessian that is too large to be formed? Products with random vectors tell.

`sketched_ranks` gives the ranks of H_f, H_o and H_L of a network, and `sketched_blocks` those of its layers.
`sketched_rank` gives that of any symmetric matrix whose products with vectors are known, and `factor_rank` that of
H = A^T A from products with A. The operators (`loss_operator` and the others) are the products for a network, and
`restricted` gives those of a layer's block.

The other functions take such an operator. `extreme_eigenvalues` finds both ends of the spectrum with their
eigenvectors. `spectral_density` tells where all eigenvalues lie, and `counts_below`, `smoothed` and `distance` read it.
`trace`, `squared_norm`, `effective_rank` and `diagonal` are estimates. Estimates come with their intervals.
"""

from matrix_free.densities import counts_below, distance, smoothed, spectral_density
from matrix_free.extremes import extreme_eigenvalues
from matrix_free.operators import factor_operator, functional_operator, loss_operator, outer_operator
from matrix_free.probed_blocks import sketched_blocks
from matrix_free.probed_ranks import factor_rank, sketched_rank, sketched_ranks
from matrix_free.restrictions import restricted
from matrix_free.traces import diagonal, effective_rank, squared_norm, trace

__all__ = [
    "counts_below",
    "diagonal",
    "distance",
    "effective_rank",
    "extreme_eigenvalues",
    "factor_operator",
    "factor_rank",
    "functional_operator",
    "loss_operator",
    "outer_operator",
    "restricted",
    "sketched_blocks",
    "sketched_rank",
    "sketched_ranks",
    "smoothed",
    "spectral_density",
    "squared_norm",
    "trace",
]
