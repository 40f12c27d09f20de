"""Closed forms for the ranks: integers in, integers out."""

from closed_forms.linear import (
    biased_ranks,
    critical_ranks,
    effective_outputs,
    flag_rank,
    functional_rank,
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
    "linear_ranks",
    "loss_rank",
    "outer_rank",
]
