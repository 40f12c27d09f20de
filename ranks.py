"""Numerical ranks of symmetric matrices, always together with the evidence for them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

import checks
import losses
from bars import told
from counting import CLIFF, compressed, cosine_probes, count, default_rtol
from grades import factor_rank, graded, has_cliff
from hessians import HessianTriple, WithPenalty, check_memory
from matvecs import num_params
from problem import pose
from sums import sums
from twins import twin

# From this size on, PyTorch's MKL is the fastest of what is installed: 0.9 s at p = 3000 and 8.0 s at p = 7000 on two
# cores. SciPy's drivers 'evd' and 'ev' take 1.4 s and 16 to 18 s, NumPy 1.5 s and 20 s. It leaves zeros of up to 8 eps
# (p = 5000) rather than 3, far below the threshold of sqrt(p) eps. Smaller matrices are NumPy's.
_LARGE = 2000

_TILE = 256  # rows and columns that fit into a processor's own memory

_ALONE = "a matrix alone does not show what was lost when it was made; ranks.dense_ranks looks at the network"


class NotSymmetricError(ValueError):
    """A matrix or a product is not symmetric, or not linear, at its own scale."""


def numerical_rank(matrix, rtol=None, scale=0.0):
    """Return the numerical rank of a symmetric matrix, with the gap, the threshold and the spectrum.

        rank = #{ i : |lambda_i| > rtol max_j |lambda_j| },    rtol = max(10, sqrt(p)) eps by default, eps = 2.2e-16

    The default rests on a thousand Hessians, p from 42 to 552, whose exact ranks are known: notebooks/exact_rank.ipynb.
    Rounding left no true zero above 4.4 eps, whatever p. Many nonzero eigenvalues lie below p eps, which is NumPy's
    threshold.

    The gap is the smallest |lambda| counted over the largest not counted. The latter is taken to be at least
    eps max |lambda|, which rounding may leave of a zero. So no finite gap exceeds 1 / eps = 4.5e15. If every eigenvalue
    is counted, the threshold takes the place of the largest not counted. A zero matrix has rank 0 and an infinite gap.

    No gap can show what has sunk below rounding. A tanh network with weights of 1e-3 has an H_o of rank 153, of which
    float64 sees 96, with a gap of 3e9 (in the same notebook). So the rank of a matrix alone is always open. It takes
    the network to say more: see `dense_ranks`.

    Args:
        matrix: (p, p) float64, symmetric to rounding. Its eigenvalues are computed from its lower triangle.
        rtol: threshold relative to the largest |lambda|.
        scale: for a matrix that is left over where larger terms cancel, the size of these terms: its rounding errors
            are theirs. If it exceeds the largest |lambda|, it takes its place. It counts as an eigenvalue for the gap,
            not for the rank.

    Returns:
        NumericalRank.

    Raises:
        TypeError: for anything but float64.
        ValueError: for a matrix that is not square, not finite or not symmetric, or an `rtol` outside [0, 1).

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from ranks import numerical_rank
        >>> X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> found = numerical_rank(X.T @ X)  # a 3 x 3 matrix
        >>> found.rank, bool(found.gap > 1e12), found.grade
        (2, True, 'open')
    """
    checks.float64(matrix=matrix)
    if np.ndim(matrix) != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"the matrix must be square, (p, p), got shape {np.shape(matrix)}")
    host = np.asarray(matrix)
    size = max(host.max(), -host.min())
    if not np.isfinite(size):
        checks.finite(matrix=matrix)
    # In tiles of one half, since the whole difference would be one more matrix.
    corners = itertools.combinations_with_replacement(range(0, len(host), _TILE), 2)
    tiles = (host[i : i + _TILE, j : j + _TILE] - host[j : j + _TILE, i : i + _TILE].T for i, j in corners)
    asymmetry = max(max(tile.max(), -tile.min()) for tile in tiles)
    if asymmetry > 1e-8 * max(size, scale):
        raise NotSymmetricError(
            f"the matrix must be symmetric, but entries differ from those of its transpose by {asymmetry:.1e} "
            f"(its largest entry is {size:.1e}). Ranks of other matrices need singular values, and what is left over "
            "where larger terms cancel needs their size as `scale`"
        )
    rtol = default_rtol(len(matrix)) if rtol is None else rtol
    if not 0 <= rtol < 1:
        raise ValueError(f"rtol must be in [0, 1), got {rtol}; it is relative to the largest |eigenvalue|")
    eigenvalues = _eigenvalues(matrix)
    if scale <= abs(eigenvalues).max():
        return count(eigenvalues, rtol)._replace(reason=_ALONE)
    found = count(np.append(eigenvalues, scale), rtol)
    return found._replace(rank=found.rank - 1, spectrum=found.spectrum[1:], reason=_ALONE)


def dense_ranks(
    loss, apply_fn, params, batches, near_minimum=False, reduction="sum", bound=None, only=None, penalty=None, bar=None
):
    """Return the numerical ranks of H_f, H_o and H_L, summed over batches, by the (p, p) matrices, with their grades.

    H_o is counted by the singular values of its factor, H_o = A^T A, for the losses whose root is known
    (`losses.curvature_root`). They are the square roots of its eigenvalues and come with all their digits.

    A rank is *clear* if the spectrum falls off a cliff, and no eigenvalue can hide below rounding: as many are counted
    as the network's twin has (`twins`), or as the bound allows. It is *open* otherwise.

    Args:
        loss, apply_fn, params, batches: as in `hessians.dense_hessians`.
        near_minimum: whether H_f is small because the residuals cancel over the samples, not because each of them is
            small. H_f is then counted at the scale of H_L, where a vanishing H_f has rank 0.
        reduction, only, penalty: as in `hessians.dense_hessians`. A penalty such as weight decay makes the rank of H_L
            that of its own Hessian, often p.
        bound: HessianTriple of ints that the ranks cannot exceed, where a theorem says so, such as the closed form
            `closed_forms.linear_ranks` for a linear network without biases. It spares the twin, and half the time. A
            penalty is not meant in it.
        bar: a `tqdm.tqdm`, which is told of three steps: the matrices, their ranks, and the grades by the twin.

    Returns:
        HessianTriple of NumericalRank, with a penalty WithPenalty, which also has the rank of H_L without it. The
        spectrum of H_o holds eigenvalues too, the squares of singular values, while its gap is that of the singular
        values.

    Raises:
        TypeError, ValueError, MemoryError: as in `hessians.dense_hessians`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import fully_connected
        >>> import numpy as np
        >>> from closed_forms import linear_ranks
        >>> from initializers import get_init
        >>> from losses import get_loss
        >>> from ranks import dense_ranks
        >>> generator = np.random.default_rng(0)
        >>> batches = [(generator.standard_normal((9, 3)), generator.standard_normal((9, 2)))]
        >>> init_fn, apply_fn = fully_connected([2, 1], 2, "linear", get_init("glorot"))
        >>> _, params = init_fn(jax.random.key(0), (-1, 3))  # ten parameters
        >>> found = dense_ranks(get_loss("mse"), apply_fn, params, batches)
        >>> [rank.rank for rank in found], list(linear_ranks(r=3, classes=2, units=[2, 1]))
        ([7, 4, 8], [7, 4, 8])
        >>> [rank.grade for rank in found]
        ['clear', 'clear', 'clear']
    """
    near_minimum = checks.boolean("near_minimum", near_minimum)
    problem = pose(loss, apply_fn, params, batches, reduction, only, penalty)
    p = num_params(problem.params)
    check_memory(p, matrices=5 if penalty is None else 7)
    pair, of_penalty = twin(problem), twin(problem.penalty) if penalty else None
    added = sums(of_penalty.itself, problem.penalty).total if penalty else None
    tell = told(bar, 3)
    found = tell(counted(tell(sums(pair.itself, problem)), near_minimum, added))

    def of_twin():
        size = max(found.functional.rank, found.loss.rank) + 10
        if not penalty and size <= p // 2 and losses.has_root(pair.other.loss):  # so many products are enough
            three, few = sums(pair.other, psi=cosine_probes(p, size)), slice(found.functional.rank + 10)
            return counted(three._replace(functional=three.functional[few, few]))
        three, added = sums(pair.other), sums(of_penalty.other).total if penalty else None
        if penalty:  # of the same size, since a small factor of the penalty hides digits as small weights do
            added = added * (abs(three.total).max() / (abs(added).max() or 1.0))
        return counted(three, False, added, found)

    return tell(graded(found, bound, p, of_twin, pair.why_none or (of_penalty.why_none if penalty else "")))


def counted(three, near_minimum=False, added=None, expected=None):
    """Return the HessianTriple, or WithPenalty, of the NumericalRank of `sums.Sums`, without grades.

    Args:
        three: Sums.
        near_minimum: as in `dense_ranks`.
        added: the penalty's Hessian, or None.
        expected: the ranks to expect. Matrices are compressed, so that larger ranks show as larger but not in full.
    """
    less = (lambda name, matrix: compressed(matrix, getattr(expected, name).rank)) if expected else lambda _, m: m
    total = numerical_rank(less("loss" if added is None else "without", three.total))
    largest, functional = float(abs(total.spectrum[0])), less("functional", three.functional)
    try:
        functional = numerical_rank(functional, scale=largest if near_minimum else 0.0)
    except NotSymmetricError:  # at a minimum H_f can be rounding alone, which the scale of H_L tells
        functional = numerical_rank(functional, scale=largest)
    if three.factor is None:
        outer = numerical_rank(less("outer", three.outer))
    else:
        outer = factor_rank(three.factor, three.factor.shape[1])
    if added is None:
        return HessianTriple(functional, outer, total)
    whole = numerical_rank(less("loss", three.total + added))
    return WithPenalty(functional, outer, whole, numerical_rank(less("penalty", added)), total)


def singular_rank(matrix):
    """Return the numerical rank of any matrix (m, n) from its singular values, with the threshold of `numerical_rank`.

    The threshold is that of a (p, p) matrix with p = max(m, n). For the rank r of data, use the function on the inputs
    rather than on their covariance, where squaring halves the digits.

    The rank is clear if as many singular values are far above rounding as there are rows or columns with an entry that
    is not zero. There cannot be more. It is open otherwise.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, or an empty matrix.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from ranks import singular_rank
        >>> singular_rank(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])).rank
        1
    """
    checks.float64(matrix=matrix)
    checks.finite(matrix=matrix)
    if np.ndim(matrix) != 2 or not np.size(matrix):
        raise ValueError(f"the matrix must have shape (m, n), m and n at least 1, got {np.shape(matrix)}")
    found = count(np.linalg.svd(np.asarray(matrix), compute_uv=False), default_rtol(max(matrix.shape)))
    most = min((np.asarray(matrix) != 0).any(axis=axis).sum() for axis in (0, 1))
    if found.rank == most and has_cliff(found):
        return found._replace(grade="clear", reason="so many rows or columns are not zero")
    return found._replace(
        reason="a singular value of zero cannot be told from rounding; exact.exact_rank settles it"
        if has_cliff(found)
        else f"the gap {found.gap:.0e} is below {CLIFF:.0e}; exact.exact_rank settles it"
    )


def active_ranks(params, inputs):
    """Return the ranks r_j of the inputs on which each unit of one hidden layer of relu is active, w_j . x + b_j > 0.

    They are what `closed_forms.one_hidden_layer_ranks` asks for. With biases, the inputs have a column of ones.

    Args:
        params: [W_1 (d, m), W_2] or [(W_1, b_1 (m,)), (W_2, b_2)], as of `architectures.fully_connected`.
        inputs: (n, d) float64.

    Returns:
        List of m ints, by `singular_rank`, and 0 for a unit that is never active.

    Example:
        >>> import numpy as np
        >>> from ranks import active_ranks
        >>> active_ranks([np.array([[1.0, -1.0, -1.0], [0.0, 0.0, -1.0]]), np.ones((3, 1))], np.eye(2))
        [1, 0, 0]
    """
    weights, *bias = params[0] if isinstance(params[0], tuple) else (params[0],)
    rows = np.column_stack([inputs, np.ones((len(inputs), len(bias)))])
    active = rows @ np.vstack([weights, *bias]) > 0
    return [singular_rank(rows[on]).rank if on.any() else 0 for on in active.T]


def truncation_errors(spectrum):
    """Return the errors of a matrix's best approximations of rank k = 0, ..., p, from its eigenvalues.

        e_k = ||H - H_k||_F / ||H||_F = sqrt(sum_{i > k} lambda_i^2 / sum_i lambda_i^2)

    Args:
        spectrum: (p,) eigenvalues in decreasing order of size, as `numerical_rank` has them.

    Returns:
        (p + 1,) from 1 down to 0. A zero matrix is approximated without error at any rank, and all are 0.
    """
    sizes = abs(np.asarray(spectrum))
    squares = np.square(sizes / (sizes[0] or 1.0))  # relative to the largest, whose square can be no float64
    tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    return np.sqrt(tails / (tails[0] or 1.0))


def _eigenvalues(matrix):
    if isinstance(matrix, jax.Array) and matrix.devices() != set(jax.devices("cpu")[:1]):
        return np.asarray(jnp.linalg.eigvalsh(matrix))
    if len(matrix) < _LARGE:
        return np.linalg.eigvalsh(np.asarray(matrix))
    import torch  # which takes a second

    if not torch.backends.mkl.is_available():
        return np.linalg.eigvalsh(np.asarray(matrix))
    # Neither conversion copies. PyTorch's own copy is the one in which MKL works.
    own = torch.from_dlpack(matrix) if isinstance(matrix, jax.Array) else torch.from_numpy(_writable(matrix))
    return torch.linalg.eigvalsh(own).numpy()


def _writable(matrix):
    return matrix if matrix.flags.writeable else matrix.copy()
