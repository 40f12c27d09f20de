"""What products with a Hessian tell: its rank, without the matrix."""

from matrix_free.operators import factor_operator, functional_operator, loss_operator, outer_operator
from matrix_free.probed_ranks import factor_rank, sketched_rank, sketched_ranks

__all__ = [
    "factor_operator",
    "factor_rank",
    "functional_operator",
    "loss_operator",
    "outer_operator",
    "sketched_rank",
    "sketched_ranks",
]
