"""Exact ranks of a network's Hessians, without a tolerance.

A float64 number is an integer times a power of two. For a network and a loss that move, add, multiply, divide and
compare numbers, every entry of the Hessians is then a fraction, and can be computed modulo an odd prime P. The rank
modulo P obeys

    rank_P(H) <= rank(H),    with equality unless P divides every minor of H of the size of its rank.

So rank_P(H) is a proven lower bound, and for a random prime near 2^31 it is almost surely the rank. An upper bound from
theory that it reaches is thereby proven to be attained.

With exp, tanh and their like the entries are no fractions. They are enclosed in balls of 300 digits instead. Pivots
that exclude zero prove a lower bound again. What is left after elimination lies some 10^-250 below them.

The products with H, as they stand in `hessians`, are traced to a jaxpr, and `interpreter` carries it out.
"""

import functools
from typing import NamedTuple

import flint
import numpy as np

import checks
import hessians
from exact.arithmetic import IrrationalError, Number, OpenComparisonError, ZeroDivisorError
from exact.balls import BALLS, exact
from exact.finite_field import matmul, modulo
from exact.matrix_ranks import ExactRank, chosen_primes, odd_prime, rank_modulo
from exact.pivots import Pivots, eliminate
from exact.programs import fields, is_rational, one_sided, products
from exact.running_errors import BOUNDED, PLAIN
from hessians import HessianTriple
from problem import pose

_SPARE = 8  # spare probes: a sketch of size N is trusted for ranks up to N - _SPARE
_BLOCK = 64  # probes of residues at a time, so that they fit in a processor's cache
_BALLS_AT_A_TIME = 32  # probes of balls, of which every entry takes some 250 bytes
_MOST_DIGITS = 10_000
_WORTH_IT = 1.25  # how much larger than a sketch the whole matrix must be, for the sketch to be worth its trouble
_CLEAR = 150  # digits that pivots are to have beyond those to which functions reach down
_DIRECTIONS = 8  # of nearby weights from which a tie is looked at


class UndecidedError(ValueError):
    """The Hessian is not defined here: a unit sits on its kink, or a divisor is zero."""


def exact_ranks(
    loss, apply_fn, params, batches, guess=None, primes=None, seed=0, digits=300, reduction="sum", only=None, bar=None
):
    """Return the exact ranks of H_f, H_o and H_L, summed over batches, at these very float64 numbers.

    The rank modulo P is that of the sketch S = Psi^T H Psi, with N random columns in Psi. Always
    rank_P(S) <= rank_P(H), and rank_P(S) = min(N, rank_P(H)) except with a probability below 2 N / P. The number N
    starts at the guess, or at 512, and doubles until it exceeds the rank by eight. If N is not much smaller than p, H
    itself takes the place of S. H_L is H_f + H_o, which is no approximation here.

    Residues take a third of a second at p = 275 and six seconds at p = 2856. Balls take ten seconds at p = 275.

    Args:
        loss, apply_fn, params, batches: as in `hessians.dense_hessians`.
        guess: HessianTriple of ints, where a closed form is known: it sets the sizes of the first sketches, no more.
        primes: odd primes below 2^31; two random ones of 31 bits by default.
        seed: of the default primes and the probes.
        digits: of the balls, at least. They are taken if the network or the loss contains exp, tanh or their like.
        reduction, only: as in `hessians.dense_hessians`.
        bar: a `tqdm.tqdm`, which is told the number of probes multiplied and of rows eliminated, in one sum.

    Returns:
        HessianTriple of ExactRank. Each says what vouches for it: primes, or digits and a gap in digits.

    Raises:
        TypeError, ValueError: for arrays, functions and batches as in `hessians.dense_hessians`; for numbers that are
            not odd primes below 2^31; for a loss or a network without an exact form, such as one in float32.
        UndecidedError: where a unit, relu's say, sits on its kink and the Hessians on its two sides differ.
        MemoryError: if the probes and their products would not fit.

    Example:
        Least squares, H_o = X^T X, with inputs that differ by 1e-12. In float64 the matrix has the numerical rank 1:

        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from exact import exact_ranks
        >>> from losses import get_loss
        >>> from ranks import numerical_rank
        >>> apply_fn = lambda w, inputs: inputs @ w
        >>> X = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-12]])
        >>> numerical_rank(X.T @ X).rank
        1
        >>> found = exact_ranks(get_loss("mse"), apply_fn, np.zeros((2, 1)), [(X, np.ones((2, 1)))])
        >>> found.functional.rank, found.outer.rank, found.loss.rank
        (0, 2, 2)
    """
    problem = pose(loss, apply_fn, params, batches, reduction, only)
    return exact_ranks_of(problem, guess, primes, seed, digits, bar)


def exact_ranks_of(this, guess=None, primes=None, seed=0, digits=300, bar=None):
    """Return the exact ranks of a `problem.Problem`. Arguments and errors as in `exact_ranks`."""
    primes, digits = chosen_primes(primes, seed), checks.integer("digits", digits, minimum=50)
    p = hessians.num_params(this.params)
    starts = [size + 2 * _SPARE for size in guess or (512 - 2 * _SPARE,) * 3]
    if not is_rational(this, _BLOCK):
        try:
            return _ranks_of_balls(this, starts, digits, seed, bar)
        except ZeroDivisorError:
            raise UndecidedError(_ZERO) from None
    by_prime = [_sketched(_told(_modular(prime, this), bar), p, starts, [seed, prime]) for prime in primes]
    ranks = [tuple(pivots.rank for pivots in found) for found in zip(*by_prime, strict=True)]
    return HessianTriple(*(ExactRank(max(found), primes, found) for found in ranks))


def exact_hessians(loss, apply_fn, params, batches, prime):
    """Return H_f, H_o and H_L modulo a prime P, a HessianTriple of int64 arrays (p, p) in [0, P).

    The arguments and errors are those of `exact_ranks`, with one prime. A network or a loss that contains exp, tanh or
    their like is refused with a ValueError.
    """
    hessians.check_memory(hessians.num_params(params), matrices=5)
    ring = _modular(odd_prime(prime), pose(loss, apply_fn, params, batches))
    try:
        return HessianTriple(*_three(ring, np.eye(hessians.num_params(params), dtype=np.int64)))
    except IrrationalError as error:
        raise ValueError(
            f"'{error}' takes fractions to other numbers, which have no residues modulo a prime; exact.exact_ranks "
            "computes in balls of 300 digits instead"
        ) from None


# --- the two arithmetics


class _Ring(NamedTuple):
    """What a sketch needs to know of an arithmetic."""

    multiply: object  # probes (N, p) -> H_f v and H_o v, both (N, p)
    draw: object  # (generator, shape) -> random probes
    unit: object  # p -> the unit vectors (p, p)
    bytes: int  # that an entry takes
    add: object
    sketch: object  # (images (N, p), probes (N, p)) -> their products (N, N)
    rank: object  # square matrix -> Pivots


def _modular(prime, this):
    """Return the _Ring of residues. Values in float64 decide comparisons, or balls of 2000 digits where they cannot."""

    def multiply(vectors, order=BOUNDED):
        try:
            return _checked(this, functools.partial(fields, modulo(prime), order, PLAIN), vectors, _BLOCK)
        except OpenComparisonError as error:
            if order is BALLS:
                raise UndecidedError(f"{error}, even with 2000 digits: move the weights or the data a little") from None
            with flint.ctx.workdps(2000):  # sums and products of float64 numbers need no more to be exact
                return multiply(vectors, BALLS)
        except ZeroDivisorError:
            raise UndecidedError(_ZERO) from None

    return _Ring(
        multiply,
        draw=lambda generator, shape: generator.integers(prime, size=shape),
        unit=lambda size: np.eye(size, dtype=np.int64),
        bytes=8,
        add=lambda a, b: (a + b) % prime,
        sketch=lambda images, probes: matmul(images, probes.T, prime),
        rank=lambda matrix: Pivots(rank_modulo(matrix, prime), np.inf),
    )


def _ball(this, seed):
    """Return the _Ring of balls, with the digits that flint.ctx has."""

    def multiply(vectors):
        images = _checked(this, _BALL_FIELDS, vectors, _BALLS_AT_A_TIME)
        if not all(np.all(BALLS.finite((image,))) for image in images):
            raise UndecidedError(_INFINITE)
        return images

    return _Ring(
        multiply,
        draw=lambda generator, shape: exact(generator.integers(-999, 1000, size=shape)),
        unit=lambda size: exact(np.eye(size)),
        bytes=120 + flint.ctx.prec // 8,
        add=lambda a, b: a + b,
        sketch=lambda images, probes: BALLS.matmul((images,), (probes.T,))[0],
        rank=lambda matrix: eliminate(matrix, seed),
    )


def _told(ring, bar):
    """Return a _Ring that tells a bar, if there is one, of probes multiplied and of rows eliminated."""

    def telling(function):
        def call(array):
            result = function(array)
            bar.update(len(array))
            return result

        return call

    return ring if bar is None else ring._replace(multiply=telling(ring.multiply), rank=telling(ring.rank))


_BALL_FIELDS = functools.partial(fields, BALLS, BALLS, BALLS)


def _checked(this, make, probes, block):
    """Return the products with the probes, if there is a Hessian: if all sides of every tie have the same one.

    The outputs, the loss and their slopes are to be the same as well. Random probes stand for the matrices.
    """
    met = make()
    found = products(this, met, Number((probes,)), block)
    if met.broken:
        few = np.random.default_rng(0).integers(1, 1000, size=(2, probes.shape[1]))
        few = Number(met.entry.exact(few))
        first, *others = [one_sided(this, make(), few, direction) for direction in range(_DIRECTIONS)]
        for other in others:
            if not all(np.all(met.entry.equal(a, b)) for a, b in zip(first, other, strict=True)):
                name, count = max(met.broken.items(), key=lambda item: item[1])
                raise UndecidedError(_KINK.format(count=count, name=name))
    return [image[0] for image in found]


# --- ranks of sketches


def _sketched(ring, p, sizes, seed):
    """Return the Pivots of H_f, H_o and H_L, of sketches that are large enough or of the whole matrices."""
    generator = np.random.default_rng(seed)
    found = [None] * 3
    probes = ring.draw(generator, (0, p))
    images = [probes] * 3
    while None in found:
        largest = max(size for size, pivots in zip(sizes, found, strict=True) if pivots is None)
        if _WORTH_IT * largest > p:
            _check_memory(ring, p, p)
            whole = _three(ring, ring.unit(p))
            return [pivots or ring.rank(matrix) for pivots, matrix in zip(found, whole, strict=True)]
        _check_memory(ring, largest, p)
        more = ring.draw(generator, (largest - len(probes), p))
        probes = np.concatenate([probes, more])
        images = [np.concatenate(pair) for pair in zip(images, _three(ring, more), strict=True)]
        for k, size in enumerate(sizes):
            if found[k] is None:
                pivots = ring.rank(ring.sketch(images[k][:size], probes[:size]))
                found[k] = pivots if pivots.rank <= size - _SPARE else None
        sizes = [2 * size for size in sizes]
    return found


def _three(ring, vectors):
    functional, outer = ring.multiply(vectors)
    return functional, outer, ring.add(functional, outer)


def _ranks_of_balls(this, starts, digits, seed, bar):
    """Return the exact ranks by elimination in balls, with as many digits as it takes."""
    p = hessians.num_params(this.params)
    while True:
        with flint.ctx.workdps(digits):
            met, few = _BALL_FIELDS(), exact(np.random.default_rng(seed).integers(-9, 10, size=(1, p)))
            products(this, met, Number((few,)), 1)
            needed = int(min(_CLEAR + 2 * sum(met.reach), 1e9))
            if needed <= digits:
                found = _sketched(_told(_ball(this, seed), bar), p, starts, seed)
                needed = 2 * digits
                if all(pivots.gap > _CLEAR / 2 for pivots in found):
                    return HessianTriple(*(ExactRank(pivots.rank, digits=digits, gap=pivots.gap) for pivots in found))
        if needed > _MOST_DIGITS:
            raise UndecidedError(_FAINT.format(needed=needed))
        digits = needed


def _check_memory(ring, size, p):
    """Check for five arrays (size, p): probes, products, and what their multiplication takes."""
    checks.memory(
        5 * ring.bytes * size * p,
        f"five arrays of {size} probes for p = {p} parameters are needed",
        "Choose smaller widths, or pass the closed form as the guess if there is one",
    )


_KINK = (
    "{count} comparisons of the primitive '{name}' are ties, and the slopes or the Hessians on their sides differ: a "
    "unit sits on its kink, where there is no Hessian. Move the weights or the data a little"
)
_INFINITE = (
    "the Hessian has entries that are infinite or not defined, as by the square root or the logarithm of zero: look at "
    "the arguments of such functions, or move the weights or the data a little"
)
_ZERO = "a divisor is zero, or by chance a multiple of the prime: look at the divisors, or choose another prime"
_FAINT = (
    "the ranks would take {needed} digits or more, so close to zero are the derivatives of saturated units or outputs: "
    "scale the weights or the data down"
)
