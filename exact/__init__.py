"""What is the rank of a Hessian, without a tolerance? Arithmetic modulo a prime tells, or balls of 300 digits.

`exact_ranks` gives the ranks of H_f, H_o and H_L of a network, and `exact_rank` that of any matrix of float64 numbers.
`exact_hessians` gives the matrices themselves modulo a prime, and `random_primes` gives primes. `quick_ranks` gives
the ranks only where that takes seconds.
"""

from exact.affordable import quick_ranks
from exact.matrix_ranks import ExactRank, exact_rank, random_primes
from exact.network_ranks import UndecidedError, exact_hessians, exact_ranks

__all__ = [
    "ExactRank",
    "UndecidedError",
    "exact_hessians",
    "exact_rank",
    "exact_ranks",
    "quick_ranks",
    "random_primes",
]
