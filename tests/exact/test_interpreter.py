"""The interpreter against Python's own integers and fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exact.interpreter import Number, interpret, number
from tests.exact.test_finite_field import PRIMES, modulo

RNG = np.random.default_rng(0)


def fractions(array):
    return np.vectorize(Fraction, otypes=[object])(array)


def dyadic(*shape):
    """Return random numbers m / 2^10 away from zero, of which products and sums are exact fractions of modest size."""
    return RNG.integers(1, 2**12, size=shape) * RNG.choice([-1, 1], size=shape) / 2.0**10


def run(function, *arrays, prime=PRIMES[0]):
    closed = jax.make_jaxpr(function)(*arrays)
    (result,), undecided = interpret(closed, [number(x, prime) for x in arrays], prime)
    assert not any(int(count) for count in undecided.values())
    return result


X, Y, Z = dyadic(3, 4), dyadic(3, 4), dyadic(4, 2)
FUNCTIONS = {
    "sums and products": (lambda x, y, z: (x * y - 3 * x + 0.1) * -y, (X, Y, Z)),
    "matrix product": (lambda x, y, z: (x - y) @ z, (X, Y, Z)),
    "contraction in batches": (lambda x, y, z: jnp.einsum("ij,ij,jk->ik", x, y, z), (X, Y, Z)),
    "powers": (lambda x, y, z: x**2 + y**5 + x**-3, (X, Y, Z)),
    "mean": (lambda x, y, z: jnp.mean(x * x), (X, Y, Z)),
    "mean along an axis": (lambda x, y, z: jnp.mean(x, axis=0) / 7, (X, Y, Z)),
    "quotient": (lambda x, y, z: x / (1 + y * y), (X, Y, Z)),
    "places": (
        lambda x, y, z: jnp.concatenate([x[1:, ::-1], y.T[:2, :].reshape(2, 3)[:, :1] + x[:2]])[:, 1:3],
        (X, Y, Z),
    ),
    "relu": (lambda x, y, z: jax.nn.relu(x * y - 1), (X, Y, Z)),
    "leaky relu": (lambda x, y, z: jax.nn.leaky_relu(x - y * x), (X, Y, Z)),
    "maximum and minimum": (lambda x, y, z: jnp.maximum(x, y) - jnp.minimum(x * y, y), (X, Y, Z)),
    "absolute value": (lambda x, y, z: abs(x - y * y) * jnp.sign(x), (X, Y, Z)),
    "masks": (lambda x, y, z: (x > y).astype(float) * x + jnp.where(x == x + 0 * y, y, 0.0) + jnp.eye(3, 4), (X, Y, Z)),
    "convolution": (
        lambda x, y, z: jax.lax.conv_general_dilated(x[None, None], y[None, None, :2, :2], (1, 1), "SAME")[0, 0],
        (X, Y, Z),
    ),
}


def in_fractions(name, x, y, z):
    """The same functions once more, on arrays of Fractions."""
    one, tenth, slope = Fraction(1), Fraction(0.1), Fraction(0.01)
    relu = np.vectorize(lambda t: max(t, Fraction(0)), otypes=[object])
    leaky = np.vectorize(lambda t: t if t > 0 else slope * t, otypes=[object])
    sign = np.vectorize(lambda t: Fraction((t > 0) - (t < 0)), otypes=[object])
    eye = fractions(np.eye(3, 4))
    padded = np.vectorize(Fraction, otypes=[object])(np.zeros((4, 5)))
    padded[:3, :4] = x  # 'SAME' pads a 2 x 2 window below and to the right
    return {
        "sums and products": lambda: (x * y - 3 * x + tenth) * -y,
        "matrix product": lambda: (x - y) @ z,
        "contraction in batches": lambda: (x * y) @ z,
        "powers": lambda: x**2 + y**5 + one / x**3,
        "mean": lambda: (x * x).sum() / 12,
        "mean along an axis": lambda: x.sum(axis=0) / 21,
        "quotient": lambda: x / (1 + y * y),
        "places": lambda: np.concatenate([x[1:, ::-1], y.T[:2, :].reshape(2, 3)[:, :1] + x[:2]])[:, 1:3],
        "relu": lambda: relu(x * y - 1),
        "leaky relu": lambda: leaky(x - y * x),
        "maximum and minimum": lambda: np.maximum(x, y) - np.minimum(x * y, y),
        "absolute value": lambda: abs(x - y * y) * sign(x),
        "masks": lambda: np.where(x > y, x, Fraction(0)) + y + eye,
        "convolution": lambda: sum(padded[i : i + 3, j : j + 4] * y[i, j] for i in (0, 1) for j in (0, 1)),
    }[name]()


@pytest.mark.parametrize("prime", PRIMES[:2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_against_fractions(name, prime):
    """Residues agree with the fractions', and the fractions lie within the error bound of the float64 values."""
    function, arrays = FUNCTIONS[name]
    result = run(function, *arrays, prime=prime)
    expected = np.atleast_1d(in_fractions(name, *map(fractions, arrays)))
    residue, value, error = (np.atleast_1d(np.asarray(part)) for part in result)
    np.testing.assert_array_equal(residue, np.vectorize(lambda t: modulo(t, prime))(expected))
    distance = np.vectorize(lambda v, t: float(abs(Fraction(float(v)) - t)))(value, expected)
    assert np.all(distance <= error)
    assert np.all(error < 1e-10)


def test_the_compiled_interpreter_takes_the_prime_as_an_argument():
    function, arrays = FUNCTIONS["leaky relu"]
    closed = jax.make_jaxpr(function)(*arrays)
    compiled = jax.jit(lambda exact, prime: interpret(closed, exact, prime)[0][0].residue)
    for prime in PRIMES:
        expected = run(function, *arrays, prime=prime).residue
        np.testing.assert_array_equal(compiled([number(x, prime) for x in arrays], prime), expected)
    assert compiled._cache_size() == 1


@pytest.mark.parametrize(
    ("function", "point", "decided"),
    [
        (jax.nn.relu, 1.0, True),
        (jax.nn.relu, 0.0, False),
        (lambda x: jax.nn.relu((x + 0.1) + 0.2 - (x + 0.3)), 1e3, False),  # zero up to the rounding of 0.1, 0.2 and 0.3
        (lambda x: jax.nn.leaky_relu((x + 0.1) + 0.2 - (x + 0.4)), 1e3, True),
        (jnp.abs, 0.0, False),
        (lambda x: jnp.maximum(x, 2 * x), 0.0, False),
        (lambda x: 1 / x, 0.0, False),
    ],
)
def test_what_is_too_close_to_call_is_counted(function, point, decided):
    closed = jax.make_jaxpr(function)(point)
    _, undecided = interpret(closed, [number(point, PRIMES[0])], PRIMES[0])
    assert (sum(map(int, undecided.values())) == 0) == decided


@pytest.mark.parametrize("function", [jnp.exp, jnp.tanh, jnp.log, jnp.sqrt, jax.nn.sigmoid, jax.nn.gelu])
def test_functions_that_are_not_rational_are_named(function):
    closed = jax.make_jaxpr(function)(1.5)
    with pytest.raises(ValueError, match=r"no exact form for the primitive '(exp|tanh|log|sqrt|logistic|erf|erfc)'"):
        interpret(closed, [number(1.5, PRIMES[0])], PRIMES[0])


def test_float32_inside_the_network_is_refused():
    closed = jax.make_jaxpr(lambda x: x.astype(jnp.float32) * x.astype(jnp.float32))(1.5)
    with pytest.raises(ValueError, match="need float64 throughout, but the network converts to float32"):
        interpret(closed, [number(1.5, PRIMES[0])], PRIMES[0])


def test_comparisons_of_probes_are_refused():
    """What depends on a probe lives in the field, which has no order."""
    closed = jax.make_jaxpr(jax.nn.relu)(1.5)
    with pytest.raises(ValueError, match="compares derivatives"):
        interpret(closed, [Number(jnp.asarray(5))], PRIMES[0])
