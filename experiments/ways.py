"""The ways to the three ranks of a linear network: with the matrices, without them, or from the structure."""

import jax

from architectures import fully_connected
from closed_forms import linear_ranks
from hessians import num_params
from initializers import get_init
from linear_networks import inertia, spectrum, structured_ranks, sufficient_samples
from losses import squared
from matrix_free import loss_operator, sketched_rank, sketched_ranks
from ranks import dense_ranks


def by_matrices(params, batches):
    """Return HessianTriple of NumericalRank by the (p, p) matrices of a linear network under the squared loss.

    Args:
        params: list of weight matrices (m_{l-1}, m_l), NumPy.
        batches: list of pairs (inputs (n, d), targets (n, K)).
    """
    apply_fn, units, outputs = network_of(params)
    r = min(sum(len(inputs) for inputs, _ in batches), len(params[0]))  # of the inputs, at most
    return dense_ranks(squared, apply_fn, params, batches, bound=linear_ranks(r, outputs, units))


def by_probes(params, batches):
    """Return the same without the matrices, from as few samples as suffice. Arguments as in `by_matrices`."""
    apply_fn, few, guess = _sufficient(params, batches)
    return sketched_ranks(squared, apply_fn, params, few, guess, bound=guess)  # for at most so many independent inputs


def by_probes_loss(params, batches):
    """Return the NumericalRank of H_L alone. Arguments as in `by_matrices`."""
    apply_fn, few, guess = _sufficient(params, batches)
    products = loss_operator(squared, apply_fn, params, few)
    return sketched_rank(products, num_params(params), guess.loss, jax.random.key(0))


def by_structure(params, batches):
    """Return the same from all eigenvalues, found from the structure. Arguments as in `by_matrices`."""
    return structured_ranks(spectrum(params, batches=batches))


def by_structure_loss(params, batches):
    """Return the NumericalRank of H_L alone, from all its eigenvalues. Arguments as in `by_matrices`."""
    return structured_ranks(spectrum(params, batches=batches, matrices=("loss",))).loss


def by_signs(params, batches):
    """Return HessianTriple of `linear_networks.Inertia`. Arguments as in `by_matrices`."""
    return inertia(params, batches=batches)


def network_of(params):
    """Return the apply_fn, the hidden widths and the number of outputs of the linear network with these weights."""
    *units, outputs = (weights.shape[1] for weights in params)
    return fully_connected(units, outputs, "linear", get_init("glorot"))[1], units, outputs


def _sufficient(params, batches):
    apply_fn, units, outputs = network_of(params)
    inputs, targets = sufficient_samples(squared, apply_fn, params, batches)
    return apply_fn, [(inputs, targets)], linear_ranks(len(inputs), outputs, units)
