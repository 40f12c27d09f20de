"""Balls of 80 digits against mpmath at 60 digits: the Hessians of small networks, and each function on its own."""

import functools
import re

import flint
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from mpmath import mpf

from architectures import ACTIVATIONS, fully_connected
from exact.arithmetic import Number
from exact.balls import BALLS, FUNCTIONS, digits_reached, exact
from exact.interpreter import interpret
from exact.programs import fields, products
from hessians import dense_hessians
from initializers import get_init
from losses import LOSSES, get_loss
from problem import pose
from tests.oracles import high_precision

BALL_DIGITS, ORACLE_DIGITS = 80, 60
NETWORKS = [(activation, bias) for activation in high_precision.ACTIVATIONS for bias in (False, True)]


@pytest.fixture(autouse=True)
def digits():
    with flint.ctx.workdps(BALL_DIGITS), mpmath.mp.workdps(ORACLE_DIGITS):
        yield


def midpoint(ball):
    mantissa, exponent = ball.mid().man_exp()
    return mpmath.ldexp(int(mantissa), int(exponent))


def assert_close(ball, value, size):
    """The ball is narrow and its midpoint is the oracle's value, both relative to a size."""
    assert float(ball.rad()) <= 1e-55 * size
    assert abs(midpoint(ball) - value) <= 1e-50 * size


# --- Hessians of networks


@functools.cache
def small_network(activation, bias):
    """Return a network of widths 2-2-3-3 with p = 19 or 27, and three samples whose targets do not sum to one."""
    init_fn, apply_fn = fully_connected([2, 3], 3, activation, get_init("glorot"), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(0), (-1, 2))
    rng = np.random.default_rng(0)
    return apply_fn, params, rng.normal(size=(3, 2)), rng.normal(size=(3, 3))


@functools.cache
def outputs(activation, bias):
    """Return the oracle's outputs with their derivatives, which all losses share."""
    _, params, inputs, _ = small_network(activation, bias)
    return high_precision.outputs(params, inputs, activation)


@functools.cache
def oracle_hessians(activation, bias, loss_name):
    return high_precision.hessians(outputs(activation, bias), small_network(activation, bias)[-1], loss_name)


def whole_matrices(loss, apply_fn, params, inputs, targets):
    """Return H_f, H_o and H_L in balls, from the products with all unit vectors."""
    this = pose(loss, apply_fn, params, [(inputs, targets)])
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    met = fields(BALLS, BALLS, BALLS)
    (functional,), (outer,) = products(this, met, Number((exact(np.eye(size)),)), 32)
    return functional, outer, functional + outer


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize(("activation", "bias"), NETWORKS)
def test_every_entry_of_the_hessians(activation, bias, loss_name):
    apply_fn, params, inputs, targets = small_network(activation, bias)
    expected = oracle_hessians(activation, bias, loss_name)
    found = whole_matrices(get_loss(loss_name), apply_fn, params, inputs, targets)
    for matrix, values in zip(found, expected, strict=True):
        assert matrix.shape == values.shape
        for ball, value in zip(matrix.ravel(), values.ravel(), strict=True):
            assert_close(ball, value, size=1)


@pytest.mark.parametrize(
    ("activation", "bias", "loss_name"),
    [
        ("linear", False, "cosh"),
        ("relu", True, "mse"),
        ("leaky_relu", False, "cross"),
        ("tanh", True, "cross"),
        ("elu", True, "mse"),
        ("gelu", False, "cosh"),
        ("sigmoid", False, "mse"),
    ],
)
def test_the_oracle_against_float64(activation, bias, loss_name):
    """It is automatic differentiation in float64, of every activation and every loss."""
    apply_fn, params, inputs, targets = small_network(activation, bias)
    floats = dense_hessians(get_loss(loss_name), apply_fn, params, [(inputs, targets)])
    for matrix, values in zip(floats, oracle_hessians(activation, bias, loss_name), strict=True):
        np.testing.assert_allclose(matrix, values.astype(float), rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize(("activation", "bias"), NETWORKS)
def test_the_oracle_in_two_ways(activation, bias, loss_name):
    """Its H_L, differentiated through the loss, is its H_f + H_o, by the loss's gradient and Hessian."""
    functional, outer, total = oracle_hessians(activation, bias, loss_name)
    assert abs(total - functional - outer).max() < mpf(10) ** -55


def test_all_activations_and_losses_are_here():
    """An activation that is new in `architectures` needs an oracle, and so does a loss."""
    assert set(high_precision.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(high_precision.LOSSES) == set(LOSSES)


# --- functions, each on its own


def evaluated(function, *point):
    """Return a function of float64 numbers in balls."""
    point = [np.asarray(float(x)) for x in point]
    met = fields(BALLS, BALLS, BALLS)
    (result,) = interpret(jax.make_jaxpr(function)(*point), [met.exact(x) for x in point], met)
    return result.entry[0].item()


def real_cbrt(x):
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


AT_ANY = [(0.0,), (0.3,), (-1.7,), (1e-30,), (-1e-20,)]
CASES = {  # primitive: (JAX's function, mpmath's, its derivatives in each argument, points)
    "exp": (jnp.exp, mpmath.exp, [mpmath.exp], [*AT_ANY, (-700.0,), (700.0,)]),
    "exp2": (
        jnp.exp2,
        lambda x: mpf(2) ** x,
        [lambda x: mpf(2) ** x * mpmath.log(2)],
        [*AT_ANY, (-1000.5,), (1000.5,)],
    ),
    "expm1": (jnp.expm1, mpmath.expm1, [mpmath.exp], [*AT_ANY, (-700.0,), (700.0,)]),
    "log": (jnp.log, mpmath.log, [lambda x: 1 / x], [(1.0,), (0.3,), (1e-300,), (1e100,)]),
    "log1p": (jnp.log1p, mpmath.log1p, [lambda x: 1 / (1 + x)], [(0.0,), (1e-30,), (-1e-20,), (-0.75,), (1e100,)]),
    "tanh": (jnp.tanh, mpmath.tanh, [lambda x: 1 / mpmath.cosh(x) ** 2], [*AT_ANY, (40.0,), (-40.0,)]),
    "sinh": (jnp.sinh, mpmath.sinh, [mpmath.cosh], [*AT_ANY, (-700.0,)]),
    "cosh": (jnp.cosh, mpmath.cosh, [mpmath.sinh], [*AT_ANY, (-700.0,)]),
    "asinh": (jnp.arcsinh, mpmath.asinh, [lambda x: 1 / mpmath.sqrt(x**2 + 1)], [*AT_ANY, (-1e10,), (1e50,)]),
    "acosh": (
        jnp.arccosh,
        mpmath.acosh,
        [lambda x: 1 / mpmath.sqrt(x**2 - 1)],
        [(1.25,), (1 + 2.0**-40,), (1e50,)],
    ),
    "atanh": (jnp.arctanh, mpmath.atanh, [lambda x: 1 / (1 - x**2)], [(0.0,), (0.3,), (-1 + 2.0**-40,), (1e-30,)]),
    "sin": (jnp.sin, mpmath.sin, [mpmath.cos], [*AT_ANY, (1e22,)]),
    "cos": (jnp.cos, mpmath.cos, [lambda x: -mpmath.sin(x)], [*AT_ANY, (1e22,)]),
    "tan": (jnp.tan, mpmath.tan, [lambda x: 1 / mpmath.cos(x) ** 2], [*AT_ANY, (1e22,)]),
    "asin": (jnp.arcsin, mpmath.asin, [lambda x: 1 / mpmath.sqrt(1 - x**2)], [(0.0,), (0.3,), (-0.999,), (1e-30,)]),
    "acos": (jnp.arccos, mpmath.acos, [lambda x: -1 / mpmath.sqrt(1 - x**2)], [(0.0,), (0.3,), (-0.999,), (1e-30,)]),
    "atan": (jnp.arctan, mpmath.atan, [lambda x: 1 / (1 + x**2)], [*AT_ANY, (1e100,), (-1e100,)]),
    "atan2": (
        jnp.arctan2,
        mpmath.atan2,
        [lambda y, x: x / (x**2 + y**2), lambda y, x: -y / (x**2 + y**2)],
        [(0.3, 2.0), (0.3, -2.0), (-0.3, -2.0), (-0.3, 2.0), (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (1e-30, -1e30)],
    ),
    "logistic": (
        jax.nn.sigmoid,
        lambda x: 1 / (1 + mpmath.exp(-x)),
        [lambda x: 1 / (2 * mpmath.cosh(x / 2)) ** 2],
        [*AT_ANY, (-700.0,), (40.0,)],
    ),
    "erf": (
        jax.lax.erf,
        mpmath.erf,
        [lambda x: 2 * mpmath.exp(-(x**2)) / mpmath.sqrt(mpmath.pi)],
        [*AT_ANY, (5.0,), (-10.0,)],
    ),
    "erfc": (
        jax.lax.erfc,
        mpmath.erfc,
        [lambda x: -2 * mpmath.exp(-(x**2)) / mpmath.sqrt(mpmath.pi)],
        [*AT_ANY, (10.0,), (26.0,), (-10.0,)],
    ),
    "erf_inv": (
        jax.lax.erf_inv,
        mpmath.erfinv,
        [lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(mpmath.erfinv(x) ** 2)],
        [(0.0,), (0.3,), (-0.999,), (1e-30,)],
    ),
    "sqrt": (jnp.sqrt, mpmath.sqrt, [lambda x: 1 / (2 * mpmath.sqrt(x))], [(2.0,), (1e-300,), (1e100,)]),
    "rsqrt": (
        jax.lax.rsqrt,
        lambda x: 1 / mpmath.sqrt(x),
        [lambda x: -1 / (2 * x * mpmath.sqrt(x))],
        [(2.0,), (1e-100,), (1e100,)],
    ),
    "cbrt": (jnp.cbrt, real_cbrt, [lambda x: 1 / (3 * real_cbrt(x) ** 2)], [(2.0,), (-2.0,), (-1e-300,), (1e100,)]),
    "pow": (
        jax.lax.pow,
        lambda x, y: x**y,
        [lambda x, y: y * x ** (y - 1), lambda x, y: x**y * mpmath.log(x)],
        [(2.0, 0.5), (0.3, -1.7), (1e-100, 2.5), (7.0, 0.0), (1e100, 3.0)],
    ),
}


def test_every_function_of_balls_is_here():
    """Each case is the primitive whose name it has."""
    assert set(CASES) == set(FUNCTIONS)
    for name, (function, *_, points) in CASES.items():
        assert re.search(rf"= {name}\b", str(jax.make_jaxpr(function)(*points[0])))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function, oracle, _, points = CASES[name]
    for point in points:
        ball = evaluated(function, *point)
        value = oracle(*map(mpf, point))
        assert_close(ball, value, size=abs(value))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if CASES[name][2] is not None])
def test_derivatives_of_functions(name):
    """JAX's rule of differentiation, in balls, gives the derivative itself, and not one that is rounded to float64."""
    function, _, oracles, points = CASES[name]
    for point in points:
        for position, oracle in enumerate(oracles):
            with flint.ctx.workdps(BALL_DIGITS + 320):  # JAX takes expm1 + 1, which loses 304 digits at -700
                ball = evaluated(jax.grad(function, position), *point)
            value = oracle(*map(mpf, point))
            assert_close(ball, value, size=abs(value))


def test_no_pivot_that_is_zero_excludes_zero():
    """The function cbrt(w)^3 is w. So H_o of these two outputs, both w_1 + w_2, has the determinant 0."""
    apply_fn = lambda w, inputs: inputs[:, :1] * (jnp.cbrt(w[0]) ** 3 + w[1]) + inputs[:, 1:] * (w[0] + w[1])
    _, outer, _ = whole_matrices(get_loss("mse"), apply_fn, np.array([2.0, 3.0]), np.eye(2), np.zeros((2, 1)))
    assert (outer[0, 0] * outer[1, 1] - outer[0, 1] * outer[1, 0]).contains(0)


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(-2.0, 2.0), (-2.0, 3.0), (-2.0, 0.0), (-2.0, -3.0), (-0.5, 101.0), (-1.0, 1e300), (-1.0, 2.0**53 - 1)],
)
def test_powers_of_negative_numbers(base, exponent):
    """The exponents are integers in float64, and so the powers are float64 numbers."""
    assert evaluated(jax.lax.pow, base, exponent) == float(jax.lax.pow(base, exponent))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_powers_of_zero(exponent):
    assert evaluated(jax.lax.pow, 0.0, exponent) == float(jax.lax.pow(0.0, exponent))


@pytest.mark.parametrize(
    ("function", "point"),
    [(jnp.arctan2, (0.0, 0.0)), (jnp.sqrt, (0.0,)), (jnp.cbrt, (0.0,)), (jnp.arccosh, (1.0,)), (jnp.arccos, (1.0,))],
    ids=["atan2(0, 0)", "sqrt(0)", "cbrt(0)", "acosh(1)", "acos(1)"],
)
def test_functions_that_are_zero_at_the_end_of_their_domain(function, point):
    assert evaluated(function, *point) == float(function(*point)) == 0


@pytest.mark.parametrize("function", [jnp.log, jnp.sin, jnp.tanh], ids=["log", "sin", "tanh"])
def test_arguments_whose_square_overflows(function):
    assert float(evaluated(function, 1e160)) == pytest.approx(float(function(1e160)), rel=1e-15)


def test_a_wide_ball_contains_all_values():
    """The functions round outwards: the ball of 0.5 +- 0.1 goes to one that contains the values at 0.4, 0.5 and 0.6."""
    for name, function in FUNCTIONS.items():
        shift = 1.0 if name == "acosh" else 0.0
        other = [] if name not in ("atan2", "pow") else [exact(np.array([1.5]))]
        with flint.ctx.workdps(30):
            wide = np.array([flint.arb(0.5 + shift, 0.1)], object)
            (result,) = BALLS.functions[name](*((x,) for x in [wide, *other]))
        assert result[0].rad() > 0.01
        for x in (0.401, 0.5, 0.599):
            assert result[0].contains(function(flint.arb(x + shift), *(y[0] for y in other))), name


# --- how far functions reach down

DIFFERENCES = {  # the derivatives, from values near 1, as JAX's rules take them
    "tanh": lambda x: 1 - x.tanh() ** 2,
    "logistic": lambda x: (1 / (1 + (-x).exp())) * (1 - 1 / (1 + (-x).exp())),
    "erf": lambda x: 1 - x.erf(),
    "erfc": lambda x: 2 - (-x).erfc(),
    "expm1": lambda x: (-x).expm1() + 1,
}


@pytest.mark.parametrize("largest", [3.0, 40.0, 150.0])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_digits_reached_are_enough(name, largest):
    reached = digits_reached(name, exact(np.array([0.5, -largest, 1.0])))
    with flint.ctx.workdps(int(reached) + 20):
        assert not DIFFERENCES[name](flint.arb(largest)).contains(0)


@pytest.mark.parametrize("largest", [40.0, 150.0])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_digits_reached_are_not_too_many(name, largest):
    reached = digits_reached(name, exact(np.array([0.5, -largest, 1.0])))
    with flint.ctx.workdps(int(0.8 * reached)):
        assert DIFFERENCES[name](flint.arb(largest)).contains(0)


def test_functions_that_do_not_saturate_reach_no_digits():
    assert digits_reached("sin", exact(np.array([1e3, -5.0]))) == digits_reached("tanh", exact(np.zeros(2))) == 0
    assert digits_reached("exp", exact(np.zeros(0))) == 0
