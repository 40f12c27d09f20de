"""The whole spectrum of a linear network at a balanced global minimum, for whitened data."""

import itertools

import numpy as np

import checks
from closed_forms.known import at_most


def balanced_eigenvalues(singular_values, inputs, outputs, layers):
    """Return the nonzero eigenvalues of H_L = H_o, largest first, at a balanced minimum of f(x) = W_L .. W_1 x.

        (s_i^2 - s_j^2) / (s_i^(2/L) - s_j^(2/L)),    i, j = 1..q,    L s_i^(2 - 2/L) where s_i = s_j
        s_i^(2 - 2/L),    d + K - 2 q times each

    The data are *whitened* if sum_i x_i x_i^T = I. Weights are *balanced* if W_l W_l^T = W_{l+1}^T W_{l+1} for all l.
    Then each layer has the same singular values s_i^(1/L), where s_i are those of the end-to-end map W_L .. W_1.
    Gradient descent from small weights ends near such minima. Residuals that are orthogonal to the data have H_f = 0.

    In the bases of the layers' singular vectors, H_o is J^T J. Its eigenvalue on the pair of directions i (outputs) and
    j (inputs) is the sum over the layers of s_i^(2 (L - l) / L) s_j^(2 (l - 1) / L), a geometric series. In directions
    beyond q, one of the two factors is zero, and one term is left.

    Args:
        singular_values: s_1, ..., s_q, positive: all that are not zero.
        inputs, outputs: d and K.
        layers: L, at least 2.

    Returns:
        NumPy array of q (d + K - q) numbers, for the squared loss with the 1/2.

    Raises:
        TypeError, ValueError: for anything but positive numbers and integers, or more than min(d, K) singular values.

    Example:
        >>> from closed_forms import balanced_eigenvalues
        >>> balanced_eigenvalues([4.0, 1.0], inputs=2, outputs=3, layers=2)
        array([8., 5., 5., 4., 2., 1.])
    """
    d, K, L = (checks.integer(*each) for each in (("inputs", inputs), ("outputs", outputs), ("layers", layers, 2)))
    s = [checks.number(f"singular_values[{i}]", value, 5e-324, np.inf) for i, value in enumerate(singular_values)]
    at_most("the number of singular values", len(s), min(d, K), "min(inputs, outputs)")
    powers = np.array(s).reshape(-1, 1) ** (2 * np.arange(L) / L)  # s_i^(2 l / L), l = 0 .. L - 1
    pairs = [powers[i] @ powers[j][::-1] for i, j in itertools.product(range(len(s)), repeat=2)]
    return np.sort(np.concatenate([pairs, *[powers[:, -1]] * (d + K - 2 * len(s))]))[::-1]
