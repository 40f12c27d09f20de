"""Ranks without a tolerance: Hessians modulo a prime."""

from exact.modular_ranks import ExactRank, UndecidedError, exact_hessians, exact_ranks, random_primes

__all__ = ["ExactRank", "UndecidedError", "exact_hessians", "exact_ranks", "random_primes"]
