import jax
import numpy as np
import pytest

from initializers import get_init
from networks import drawn


def test_weights_have_the_structure_of_the_shapes():
    shapes = [(2, 3), ((3, 1), None), {"kernel": (2, 2, 1, 4)}, (5,)]
    found = drawn.weights(jax.random.key(0), lambda key, shape, dtype: jax.numpy.zeros(shape, dtype), shapes)
    assert jax.tree.map(np.shape, found) == shapes
    assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves(found))


def test_every_array_has_a_key_of_its_own():
    first, (second, third) = drawn.weights(jax.random.key(0), get_init("glorot"), [(3, 3), ((3, 3), (3, 3))])
    assert len(np.unique([first, second, third])) == 27


def test_memory_counts_what_is_there_while_the_largest_array_is_drawn(monkeypatch):
    """Numbers of 8 bytes: all arrays, so many times, and four more of the largest one."""
    needed = 8 * (3 * (100 + 50) + 4 * 100)
    check = lambda: drawn.check_memory(jax.random.key(0), [100, 50], times=3)
    monkeypatch.setattr("checks.free_memory", lambda: needed)
    assert check() is None
    monkeypatch.setattr("checks.free_memory", lambda: needed - 1)
    with pytest.raises(MemoryError, match=r"the weights of p = 450 parameters take .* smaller widths or a smaller dim"):
        check()
    monkeypatch.setattr("checks.free_memory", lambda: 8)
    with pytest.raises(MemoryError, match="the weights of p = 9 parameters"):
        drawn.weights(jax.random.key(0), get_init("glorot"), [(3, 3)])


def test_a_traced_key_draws_nothing(monkeypatch):
    monkeypatch.setattr("checks.free_memory", lambda: 0)
    found = jax.eval_shape(lambda key: drawn.weights(key, get_init("glorot"), (3, 4)), jax.random.key(0))
    assert found.shape == (3, 4)


def test_input_shapes():
    assert drawn.input_shape((-1, np.int64(3), 4), "T", "d") == [3, 4]
    with pytest.raises(ValueError, match=r"must be \(-1, T, d\) for this network, got \(-1, 3\)"):
        drawn.input_shape((-1, 3), "T", "d")
    with pytest.raises(TypeError, match=r"must be \(-1, T, d\), got array\(\[-1,  3,  4\]\) of type ndarray"):
        drawn.input_shape(np.array([-1, 3, 4]), "T", "d")
    with pytest.raises(TypeError, match=r"T of the input shape must be an integer, got 3.0 of type float"):
        drawn.input_shape((-1, 3.0, 4), "T", "d")
    with pytest.raises(ValueError, match="d of the input shape must be at least 1, got 0"):
        drawn.input_shape((-1, 3, 0), "T", "d")


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 9, 4), (0, 3, 4)], ids=str)
def test_inputs_that_fit(shape):
    assert drawn.check_inputs(np.ones(shape), "T", 4) is None


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 4), (2, 3, 4, 1), ()], ids=str)
def test_inputs_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"inputs must have shape \(n, T, 4\) for this network, got \("):
        drawn.check_inputs(np.ones(shape), "T", 4)
