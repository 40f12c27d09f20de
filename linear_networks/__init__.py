"""What holds only for linear networks: signs, spectrum, sufficient samples."""

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
