"""The closed forms of all kinds of networks, judged by exact ranks of random networks (tests/oracles/families.py).

`python -m benchmarks.closed_forms.certified` does the same for 500 networks of each kind and more.
"""

import itertools
import math
import random

import jax
import numpy as np
import pytest

from closed_forms import (
    KnownRanks,
    attention_ranks,
    balanced_eigenvalues,
    convolutional_ranks,
    linear_ranks,
    one_hidden_layer_ranks,
    polynomial_ranks,
    recurrent_ranks,
    residual_ranks,
    residual_ranks_without_layers,
    tied_ranks,
)
from closed_forms.known import known
from closed_forms.one_hidden_layer import ALEXANDER_HIRSCHOWITZ, SEGRE_VERONESE
from hessians import HessianTriple
from linear_networks import spectrum
from tests.oracles import families
from tests.oracles.families import FAMILIES, RATIONAL, exact, verdict


@pytest.mark.parametrize("name", FAMILIES)
def test_no_rank_refutes_a_closed_form(name):
    """Eight networks of fractions, or three with exp: no rank above the form, and none below an equality."""
    rng = random.Random(name)
    for _ in range(8 if name in RATIONAL else 3):
        case = FAMILIES[name].draw(rng)
        found = exact(case)
        assert verdict(case, found).is_right(), (case.label, found, case.form)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_states_the_equalities_that_it_is_there_for(name):
    rng, stated = random.Random(name), [0, 0, 0]
    for _ in range(40):
        stated = np.add(stated, FAMILIES[name].draw(rng).form.equal)
    assert all(stated["foL".index(letter)] >= 4 for letter in FAMILIES[name].own)


def test_a_verdict_can_fail():
    case = FAMILIES["tied"].draw(random.Random(0))
    right = exact(case)
    assert verdict(case, right).is_right()
    for change, equal, refuted in ((1, True, True), (-1, True, True), (1, False, True), (-1, False, False)):
        ranks = right._replace(outer=right.outer + change)
        form = known(*right, equal=(True, equal, True))
        assert verdict(case._replace(form=form), ranks).is_right() is not refuted


@pytest.mark.parametrize(("degree", "r", "width"), sorted(ALEXANDER_HIRSCHOWITZ))
def test_exceptions_of_alexander_and_hirschowitz(degree, r, width):
    """One less than expected, and the networks with one unit fewer or more are regular."""
    monomials = math.comb(r + degree - 1, degree)
    for m in (width - 1, width, width + 1):
        case = families._polynomial(random.Random(m), r, r, m, 1, degree, monomials)
        assert exact(case).outer == case.form.ranks.outer == min(m * r, monomials) - (m == width)
        assert case.form.equal.outer


@pytest.mark.parametrize(("r", "outputs", "width"), sorted(SEGRE_VERONESE))
def test_exceptions_of_segre_and_veronese(r, outputs, width):
    case = families._polynomial(random.Random(0), r, r, width, outputs, 2, r * (r + 1) // 2)
    expected = min(outputs * r * (r + 1) // 2, width * (outputs + r - 1))
    assert exact(case).outer == case.form.ranks.outer == expected - 1


def test_a_wide_convolutional_network_has_no_closed_form_but_bounds():
    """A formula for wide networks, sum of 2 sigma_l c_l less overlaps, gave 177 where the rank of H_f is 176."""
    shape, channels, kernels = (8, 1), [6, 8, 9, 3], [4, 2, 2, 1]
    form = convolutional_ranks(shape, channels, kernels)
    assert form.ranks.functional >= 176
    assert form.equal == (False, True, False)


def _of_full_data(shape, channels, kernels, K):
    """Return a case of a convolutional network under the squared loss."""
    draws = (
        families._convolutional(random.Random(seed), shape, channels, kernels, K, "VALID", True) for seed in range(20)
    )
    return next(case for case in draws if case.loss is families.LOSSES["mse"])


@pytest.mark.parametrize(
    ("channels", "kernels", "rank", "without"),
    [
        ([1, 3, 5], [8, 2], 44, 45),
        ([1, 2, 3, 5], [6, 3, 2], 44, 45),
        ([2, 5, 9], [6, 2], 123, 125),
        ([7, 5, 3], [2, 4], 104, 105),
    ],
)
def test_syzygies_take_dimensions_away(channels, kernels, rank, without):
    """Counting parameters less changes of basis would give one or two more, all entries of the merged kernel, say."""
    first, *others = channels
    length = sum(kernels) - len(kernels) + 1
    case = _of_full_data((length, first), others, kernels, None)
    pairs = zip(channels, others, kernels, strict=False)
    counted = sum(a * b * k for a, b, k in pairs) - sum(c**2 for c in others[:-1])
    assert without == min(first * others[-1] * length, counted)
    assert case.form.equal.outer
    assert exact(case).outer == case.form.ranks.outer == rank


def test_behind_syzygies_a_dominant_head_has_bounds():
    """H_f is the form there, H_L smaller. The forms would be equalities if the chain formula had no syzygies."""
    found = convolutional_ranks((13, 1), [2, 2, 3, 5], [2, 5, 3, 2], classes=5)
    assert found.equal == (False, True, False)
    assert found.ranks == (111, 65, 175)
    case = _of_full_data((13, 1), [2, 2, 3, 5], [2, 5, 3, 2], 5)
    assert exact(case) == (111, 65, 173)


def test_examples_by_hand():
    """A residual network at zero is a linear one, and heads side by side are heads by themselves."""
    assert residual_ranks(25, 10, [None], 12).ranks == linear_ranks(25, 10, [12, 12])
    assert residual_ranks_without_layers(3, 5, [None, None]).ranks == linear_ranks(3, 5, [5])
    one, three = (attention_ranks(4, 2, 3, tokens=5, samples=20, heads=heads) for heads in (1, 3))
    assert three == KnownRanks(HessianTriple(*(3 * rank for rank in one.ranks)), one.equal)
    # k = v = d / H, K = d: p = 4 d^2, rank(H_o) = 4 d^2 - 2 d^2 / H - H
    usual = attention_ranks(8, 2, 2, tokens=8, samples=64, classes=8, heads=4)
    assert usual.ranks.outer == 4 * 64 - 2 * 64 // 4 - 4
    assert usual.ranks.loss == 4 * 64
    softmax = attention_ranks(8, 2, 2, tokens=8, samples=64, classes=8, heads=4, softmax=True)
    assert softmax.ranks.outer == usual.ranks.outer + 4
    assert tied_ranks(25, 25, 25).ranks.outer == 25 * 26 / 2  # symmetric matrices
    assert recurrent_ranks(3, 5, 1).ranks == (0, 15, 15)  # one layer is a linear model
    # convolutions of one tap are matrices
    ones = convolutional_ranks((1, 7), [5, 6], [1, 1], classes=4)
    assert ones.ranks.outer == linear_ranks(7, 4, [5, 6]).outer


@pytest.mark.parametrize("layers", [2, 3, 4, 5, 6])
def test_eigenvalues_at_a_balanced_minimum(layers):
    """They are those of the network's Hessian: weights whose singular values are s^(1/L), targets f(x), X X^T = I."""
    for seed in range(100):
        generator = np.random.default_rng(seed)
        d, K = generator.integers(2, 6, size=2)
        q = generator.integers(1, min(d, K) + 1)
        widths = [d, *generator.integers(q, 7, size=layers - 1), K]
        values = generator.uniform(0.5, 3.0, size=q)
        if q > 1 and seed % 2:
            values[1] = values[0]  # two that are equal
        bases = [np.linalg.qr(generator.standard_normal((m, m)))[0][:, :q] for m in widths]
        weights = [a * values ** (1 / layers) @ b.T for a, b in itertools.pairwise(bases)]
        X = np.eye(d)
        found = spectrum(weights, batches=[(X, np.linalg.multi_dot(weights))]).loss.eigenvalues
        expected = balanced_eigenvalues(values, d, K, layers)
        assert len(expected) == q * (d + K - q)
        np.testing.assert_allclose(np.sort(found)[::-1][: len(expected)], expected, rtol=1e-11)


REFUSED = [
    (lambda: residual_ranks(5, 3, [], 4), ValueError, "branches is empty"),
    (lambda: residual_ranks(5, 3, [2, 0], 4), ValueError, r"branches\[1\] must be at least 1, got 0"),
    (lambda: residual_ranks(5, 1, [2], 4, "cross"), ValueError, "classes must be at least 2"),
    (lambda: residual_ranks_without_layers(6, 5, [2]), ValueError, "r must be at most dim = 5, got 6"),
    (lambda: residual_ranks_without_layers(3, 5, [2, None]), ValueError, "no closed form is known for square branches"),
    (lambda: attention_ranks(9, 2, 2, tokens=4, samples=2), ValueError, "r must be at most samples times tokens = 8"),
    (lambda: attention_ranks(3, 2, 2, 4, 2, loss_name="cross"), ValueError, "no closed form is known for attention"),
    (lambda: attention_ranks(3, 2, 2, 4, 2, softmax="yes"), TypeError, "softmax must be True or False"),
    (lambda: tied_ranks(3.0, 5, 2), TypeError, "r must be an integer"),
    (lambda: recurrent_ranks(3, 5, 0), ValueError, "layers must be at least 1"),
    (lambda: one_hidden_layer_ranks(3, 2, 4, "elu", 9), ValueError, "unknown activation 'elu'"),
    (lambda: one_hidden_layer_ranks(3, 2, 4, "relu", 9), ValueError, "active, the ranks of the inputs on which"),
    (
        lambda: one_hidden_layer_ranks(3, 2, 4, "tanh", 9, [1] * 4),
        ValueError,
        "must be given for relu and for no other",
    ),
    (lambda: one_hidden_layer_ranks(3, 2, 4, "relu", 9, [1] * 3), ValueError, "a rank for each of the 4 units, got 3"),
    (lambda: one_hidden_layer_ranks(3, 2, 2, "relu", 9, [1, 4]), ValueError, r"active\[1\] must be at most the rank"),
    (lambda: one_hidden_layer_ranks(9, 2, 2, "tanh", 9, bias=True), ValueError, "r must be at most samples - 1 = 8"),
    (lambda: polynomial_ranks(3, 2, 4, 1, 9), ValueError, "degree must be at least 2, got 1"),
    (lambda: convolutional_ranks((8,), [2], [3]), ValueError, r"shape must be \(w, c_0\) for these kernels"),
    (lambda: convolutional_ranks((8, 1), [2], [9]), ValueError, "a kernel of .* taps is longer than"),
    (lambda: convolutional_ranks((8, 1), [2], [3], r=9), ValueError, "r must be at most channels times positions = 8"),
    (lambda: convolutional_ranks((8, 1), [1], [3], loss_name="cross"), ValueError, "at least two outputs"),
    (lambda: convolutional_ranks((8, 1), [1], [3], padding="valid"), ValueError, "unknown padding 'valid'"),
    (lambda: balanced_eigenvalues([1.0, 0.0], 3, 3, 2), ValueError, r"singular_values\[1\] must be at least 5e-324"),
    (lambda: balanced_eigenvalues([1.0, 2.0], 3, 1, 2), ValueError, "the number of singular values must be at most"),
    (lambda: balanced_eigenvalues([1.0], 3, 1, 1), ValueError, "layers must be at least 2"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_has_no_closed_form_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_forms_are_bounds_for_singular_weights_too():
    """A rank can only fall in a limit: weights with zeros, and whole matrices of them."""
    rng = random.Random(5)
    for name in ("residual, with layers", "attention, one head", "convolutions, any", "tied"):
        case = FAMILIES[name].draw(rng)
        leaves, structure = jax.tree.flatten(case.params)
        for fraction in (0.3, 1.0):
            generator = np.random.default_rng(rng.randrange(1000))
            zeroed = [np.where(generator.random(leaf.shape) < fraction, 0.0, leaf) for leaf in leaves]
            chosen = jax.tree.unflatten(structure, [zeroed[0], *leaves[1:]])
            found = exact(case._replace(params=chosen))
            assert all(rank <= bound for rank, bound in zip(found, case.form.ranks, strict=True))
