"""What is the rank of a Hessian, without rounding and without a tolerance? Arithmetic modulo a prime tells.

`exact_ranks` gives the ranks of H_f, H_o and H_L of a network made of sums, products and comparisons (linear, relu,
leaky_relu), and `exact_rank` that of any matrix of float64 numbers. `exact_hessians` gives the matrices themselves
modulo a prime, and `random_primes` gives primes.
"""

from exact.modular_ranks import ExactRank, UndecidedError, exact_hessians, exact_rank, exact_ranks, random_primes

__all__ = ["ExactRank", "UndecidedError", "exact_hessians", "exact_rank", "exact_ranks", "random_primes"]
