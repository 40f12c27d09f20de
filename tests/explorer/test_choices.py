"""Choices: what fits, what a network of them is, and the line of Python that makes it again."""

import jax
import numpy as np
import pytest

from explorer import Choice, nearest, problem
from explorer.choices import FIRST, KINDS, largest_rank, layer_shapes, parameters, reproducing
from hessians import num_params
from ranks import singular_rank
from tests.oracles.explorer_page import drawn


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_choice_of_each_kind_fits(kind):
    assert nearest(FIRST[kind]) == FIRST[kind]


@pytest.mark.parametrize("seed", range(12))
def test_a_network_has_its_parameters_and_its_data_their_rank(seed):
    choice = drawn(np.random.default_rng([8, seed]), largest=300)
    loss, apply_fn, params, [(inputs, targets)] = problem(choice)
    assert num_params(params) == parameters(choice) == sum(size for _, size in layer_shapes(choice))
    assert apply_fn(params, inputs).shape == targets.shape
    assert np.isfinite(loss(apply_fn(params, inputs), targets))
    rows = np.asarray(inputs)
    rows = rows.reshape(-1, choice.inputs) if choice.kind == "attention" else rows.reshape(len(rows), -1)
    assert singular_rank(rows - rows.mean(axis=0) * choice.bias).rank == choice.data_rank <= largest_rank(choice)


def test_the_same_choice_has_the_same_numbers():
    one, other = problem(Choice()), problem(Choice())
    for a, b in zip(jax.tree.leaves(one[2:]), jax.tree.leaves(other[2:]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_numbers_are_taken_to_the_nearest_that_fit():
    assert nearest(Choice(inputs=300, data_rank=90)).inputs == 30
    assert nearest(Choice(inputs=300, data_rank=90)).data_rank == 30
    assert nearest(Choice(samples=20, data_rank=25, bias=True)).data_rank == 19  # centred data lose one
    assert nearest(Choice(outputs=1, loss="cross")).outputs == 2
    assert nearest(Choice("residual", bias=True)).bias is False
    assert nearest(Choice("attention", widths=(1, 2, 3))).widths == (1, 2)
    assert nearest(Choice("convolutional", widths=(2, 2, 2), length=4, kernel=5)).kernel == 2


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(data_rank=26), "data_rank does not fit a fully connected network of this size; the nearest is Choice"),
        (Choice("residual", bias=True), "bias does not fit a residual network"),
        (Choice("cubist"), "unknown kind 'cubist'; choose one of 'fully connected'"),
        (Choice(activation="softmax"), "unknown activation 'softmax'"),
        (Choice(loss="nll"), "unknown loss 'nll'"),
    ],
)
def test_what_does_not_fit_is_refused(choice, words):
    with pytest.raises(ValueError, match=words):
        problem(choice)


def test_the_line_names_what_is_not_as_it_begins():
    line = reproducing(Choice(widths=(3, 20), loss="cross", bias=True))
    assert "problem(Choice(widths=(3, 20), loss='cross', bias=True))" in line
    assert "problem(Choice())" in reproducing(Choice())


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_makes_the_choice_again(kind):
    text = reproducing(FIRST[kind]).splitlines()[-1]
    made = []
    names = {"Choice": Choice, "problem": made.append, "dense_ranks": lambda *_: None}
    exec(text.replace("*problem", "problem"), names | {"rank_list": str, "print": lambda _: None})
    assert made == [FIRST[kind]]
