"""The ranks by curvlinops-for-pytorch: its Hessian and Gauss-Newton operators, multiplied onto the identity matrix.

H_f is their difference, since curvlinops has no operator for it. All batches are joined into one, which is its fastest
way.
"""

import numpy as np
import torch
from curvlinops import GGNLinearOperator, HessianLinearOperator

from hessians import HessianTriple, num_params


def curvlinops_ranks(params, batches):
    """Return the ranks of H_f, H_o and H_L of a linear network under the squared loss, as `ways.by_matrices` does."""
    layers = [torch.nn.Linear(*weights.shape, bias=False, dtype=torch.float64) for weights in params]
    for layer, weights in zip(layers, params, strict=True):
        layer.weight.data = torch.from_numpy(weights.T.copy())
    network = torch.nn.Sequential(*layers)
    loss = torch.nn.MSELoss(reduction="sum")  # twice ours: the same ranks
    data = [tuple(torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*batches, strict=True))]
    setting = network, loss, list(network.parameters()), data
    identity = torch.eye(num_params(params), dtype=torch.float64)
    total = HessianLinearOperator(*setting) @ identity
    outer = GGNLinearOperator(*setting) @ identity
    del identity
    ranks = (int(torch.linalg.matrix_rank(matrix, hermitian=True)) for matrix in (total - outer, outer, total))
    return HessianTriple(*ranks)
