import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import recurrent, tied
from initializers import get_init


def drawn(build, *arguments):
    """Return one matrix of small integers, the network, and inputs of small integers."""
    init_fn, apply_fn = build(*arguments, get_init("glorot"))
    shape, W = init_fn(jax.random.key(0), (-1, 4))
    assert shape == (-1, 4)
    rng = np.random.default_rng(0)
    return np.float64(rng.integers(-3, 4, size=W.shape)), apply_fn, np.float64(rng.integers(-3, 4, size=(5, 4)))


@pytest.mark.parametrize("width", [1, 3, 6])
def test_tied_weights_encode_and_decode(width):
    U, apply_fn, inputs = drawn(tied, width)
    assert U.shape == (4, width)
    found = jax.jit(apply_fn)(U, inputs)
    columns = range(width)
    expected = [
        [sum(x[i] * U[i, a] * U[j, a] for i in range(4) for a in columns) for j in range(4)] for x in inputs.tolist()
    ]
    assert np.any(expected)
    assert found.tolist() == expected  # sums of integers have no rounding errors


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_one_matrix_is_applied_again_and_again(layers):
    W, apply_fn, inputs = drawn(recurrent, layers)
    assert W.shape == (4, 4)
    found = jax.jit(apply_fn)(W, inputs)
    expected = []
    for x in inputs.tolist():
        for _ in range(layers):
            x = [sum(x[i] * W[i, j] for i in range(4)) for j in range(4)]
        expected.append(x)
    assert np.any(expected)
    assert found.tolist() == expected


def test_weights_are_the_initializer_s():
    U = tied(3, get_init("orthogonal"))[0](jax.random.key(0), (-1, 5))[1]
    W = recurrent(3, get_init("orthogonal"))[0](jax.random.key(0), (-1, 5))[1]
    assert_allclose(U.T @ U, np.eye(3), atol=1e-14)
    assert_allclose(W.T @ W, np.eye(5), atol=1e-14)


def test_networks_of_one_kind_share_one_function():
    glorot, uniform = get_init("glorot"), get_init("uniform")
    assert tied(3, glorot)[1] is tied(5, uniform)[1]
    assert recurrent(3, glorot)[1] is recurrent(np.int64(3), uniform)[1]
    assert recurrent(3, glorot)[1] is not recurrent(4, glorot)[1]


@pytest.mark.parametrize(("build", "name"), [(tied, "width"), (recurrent, "layers")])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "must be at least 1, got 0"),
        (-2, ValueError, "must be at least 1, got -2"),
        (3.0, TypeError, "must be an integer, got 3.0 of type float"),
        (True, TypeError, "must be an integer, got True of type bool"),
        ([3], TypeError, r"must be an integer, got \[3\] of type list"),
        (None, TypeError, "must be an integer, got None"),
    ],
    ids=str,
)
def test_bad_sizes(build, name, value, error, message):
    with pytest.raises(error, match=f"{name} {message}"):
        build(value, get_init("glorot"))
