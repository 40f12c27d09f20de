"""What products with a Hessian tell: its rank, without the matrix."""

from matrix_free.operators import functional_products, loss_products, outer_factor, outer_products
from matrix_free.probed_ranks import factor_rank, sketched_rank, sketched_ranks

__all__ = [
    "factor_rank",
    "functional_products",
    "loss_products",
    "outer_factor",
    "outer_products",
    "sketched_rank",
    "sketched_ranks",
]
