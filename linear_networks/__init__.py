"""What are the signs and the eigenvalues of a linear network's Hessian, of any width? Its structure tells.

The matrix is never formed: the weights and two sums over the data, `moments`, are enough. `inertia` counts positive and
negative eigenvalues, and `descent` the directions of descent. `spectrum` finds all eigenvalues, and `structured_ranks`
the ranks. `sufficient_samples` replaces a data set by a few samples with the same Hessians. `NotGenericError` says
where a sign is undecided.
"""

from linear_networks.eigenvalues import Spectrum, spectrum, structured_ranks
from linear_networks.fewer_samples import sufficient_samples
from linear_networks.general_position import NotGenericError
from linear_networks.second_moments import moments
from linear_networks.signs import Descent, Inertia, descent, inertia

__all__ = [
    "Descent",
    "Inertia",
    "NotGenericError",
    "Spectrum",
    "descent",
    "inertia",
    "moments",
    "spectrum",
    "structured_ranks",
    "sufficient_samples",
]
