"""The samples of `data.get_dataset` in two other shapes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from architectures import attention
from data import get_dataset, get_images, get_tokens
from initializers import get_init, random_key
from losses import get_loss
from tests.conftest import IMAGE_SETS


@pytest.mark.parametrize("classes", [1, 2, 10])
@pytest.mark.parametrize("dim", [1, 5, 8])
def test_tokens_are_the_rows_of_images(dim, classes):
    data = get_tokens("digits", 30, 20, dim, classes)
    assert [part.shape for part in data] == [(30, dim, dim), (30, dim, classes), (20, dim, dim), (20, dim, classes)]
    assert all(type(part) is np.ndarray and part.dtype == np.float64 for part in data)
    flat = get_dataset("digits", 30, 20, dim**2, classes)
    assert_array_equal(data.x_train.reshape(30, -1), flat.x_train)
    assert_array_equal(data.x_test.reshape(20, -1), flat.x_test)
    for token in range(dim):
        assert_array_equal(data.y_train[:, token], flat.y_train)
        assert_array_equal(data.y_test[:, token], flat.y_test)


def test_the_first_token_is_the_top_row():
    digits = load_digits()
    assert_array_equal(get_tokens("digits", 3, 0, 8, 10).x_train, digits.images[:3] / 16)
    assert digits.images[0][0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


@pytest.mark.parametrize("length", [None, 1, 6])
@pytest.mark.parametrize("classes", [1, 4])
def test_gaussian_tokens_are_the_mixture(classes, length):
    data, tokens = get_tokens("gaussian", 9, 5, 3, classes, seed=2, length=length), length or 3
    assert [part.shape for part in data] == [(9, tokens, 3), (9, tokens, classes), (5, tokens, 3), (5, tokens, classes)]
    flat = get_dataset("gaussian", 9, 5, 3 * tokens, classes, seed=2)
    assert_array_equal(data.x_train, flat.x_train.reshape(9, tokens, 3))
    assert_array_equal(data.x_test, flat.x_test.reshape(5, tokens, 3))
    assert_array_equal(data.y_train, np.stack([flat.y_train] * tokens, axis=1))
    assert not np.any(data.x_train == get_tokens("gaussian", 9, 5, 3, classes, length=length).x_train)


def test_images_may_have_their_own_length():
    ours, default = (get_tokens("digits", 4, 0, 5, 10, length=length) for length in (5, None))
    assert all(map(np.array_equal, ours, default))


@pytest.mark.parametrize("name", ["digits", "gaussian"])
@pytest.mark.parametrize("classes", [1, 2, 10])
@pytest.mark.parametrize("side", [1, 5, 8])
def test_images_have_one_channel(side, classes, name):
    data = get_images(name, 30, 20, side, classes, seed=1)
    shapes = [(30, side, side, 1), (30, classes), (20, side, side, 1), (20, classes)]
    assert [part.shape for part in data] == shapes
    assert all(type(part) is np.ndarray and part.dtype == np.float64 for part in data)
    flat = get_dataset(name, 30, 20, side**2, classes, seed=1)
    assert_array_equal(data.x_train.reshape(30, -1), flat.x_train)
    assert_array_equal(data.x_test.reshape(20, -1), flat.x_test)
    assert_array_equal(data.y_train, flat.y_train)
    assert_array_equal(data.y_test, flat.y_test)


def test_images_stand_upright():
    assert_array_equal(get_images("digits", 3, 0, 8, 10).x_train[..., 0], load_digits().images[:3] / 16)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_real_images_as_tokens_and_as_images(name, image_sets):
    flat = get_dataset(name, 10, 5, 49, 10)
    for found in (get_tokens(name, 10, 5, 7, 10), get_images(name, 10, 5, 7, 10)):
        assert_array_equal(found.x_train.reshape(10, 49), flat.x_train)
        assert_array_equal(found.x_test.reshape(5, 49), flat.x_test)


@pytest.mark.parametrize("loss_name", ["mse", "cross", "cosh"])
def test_tokens_are_what_attention_and_every_loss_take(loss_name):
    """The loss of the tokens is the loss of a batch of as many samples."""
    data = get_tokens("digits", 6, 0, 4, 3)
    init_fn, apply_fn = attention(2, 2, get_init("glorot"), classes=3)
    predictions = apply_fn(init_fn(random_key(0), (-1, 4, 4))[1], data.x_train)
    loss = get_loss(loss_name)
    expected = loss(predictions.reshape(24, 3), data.y_train.reshape(24, 3))
    assert_allclose(loss(predictions, data.y_train), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("ImageNet", 50, 1, 5, 10), ValueError, "unknown dataset 'ImageNet'; choose one of 'digits', 'MNIST', "),
        (("digits", 50, 1, 9, 10), ValueError, "dim=9 is larger than the images of digits, 8 x 8; choose dim <= 8$"),
        (("digits", 50, 1, 10**15, 10), ValueError, "dim=10{15} is larger than the images of digits"),
        (("digits", 50, 1, 5.0, 10), TypeError, "dim must be an integer, got 5.0"),
        (("digits", 50, 1, True, 10), TypeError, "dim must be an integer, got True"),
        (("digits", 50, 1, 0, 10), ValueError, "dim must be at least 1, got 0"),
        (("digits", 1438, 1, 5, 10), ValueError, "n_train=1438 is more than the 1437 train images that digits has"),
        (("digits", 50, 1, 5, 11), ValueError, "digits has 10 classes, got classes=11"),
        (("digits", 50, -1, 5, 10), ValueError, "n_test must be at least 0, got -1"),
        (("digits", 50, 1, 5, 10, 0, 6), ValueError, "tokens of digits .* dim=5, got length=6: leave length out"),
        (("MNIST", 50, 1, 5, 10, 0, 1), ValueError, "tokens of MNIST .* dim=5, got length=1: .* choose 'gaussian'"),
        (("gaussian", 50, 1, 5, 10, 0, 0), ValueError, "length must be at least 1, got 0"),
        (("gaussian", 50, 1, 5, 10, 0, 2.0), TypeError, "length must be an integer, got 2.0"),
        (("digits", 50, 1, 5, 10, 0, "5"), TypeError, "length must be an integer, got '5'"),
        (("gaussian", 50, 1, 5, 10, -1), ValueError, "seed must be at least 0, got -1"),
        (
            ("gaussian", 50, 1, 10**8, 10),
            MemoryError,
            "61 means and samples of 10{8} x 10{8} inputs and 10{8} x 10 targets .* n_test, length, dim or classes",
        ),
        (("gaussian", 50, 1, 5, 10, 0, 2**62), MemoryError, rf"of {2**62} x 5 inputs and {2**62} x 10 targets take"),
    ],
    ids=str,
)
def test_bad_tokens(arguments, error, message):
    with pytest.raises(error, match=message):
        get_tokens(*arguments)


def test_memory_counts_the_targets_of_every_token(monkeypatch):
    """Eight bytes, three times, for 2 + 4 means and samples of 10 inputs and 5 x 2 targets."""
    needed = 8 * 3 * (2 + 4) * (10 + 5 * 2)
    monkeypatch.setattr("checks.free_memory", lambda: needed)
    assert get_tokens("gaussian", 4, 0, 2, 2, length=5).y_train.shape == (4, 5, 2)
    monkeypatch.setattr("checks.free_memory", lambda: needed - 1)
    with pytest.raises(MemoryError, match=r"6 means and samples of 5 x 2 inputs and 5 x 2 targets"):
        get_tokens("gaussian", 4, 0, 2, 2, length=5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, 50, 1, 5, 10), ValueError, "unknown dataset None; choose one of 'digits'"),
        (("digits", 50, 1, 9, 10), ValueError, "side=9 is larger than the images of digits, 8 x 8; choose side <= 8$"),
        (("digits", 50, 1, 5.0, 10), TypeError, "side must be an integer, got 5.0"),
        (("gaussian", 50, 1, True, 10), TypeError, "side must be an integer, got True"),
        (("gaussian", 50, 1, 0, 10), ValueError, "side must be at least 1, got 0"),
        (("digits", 50, 361, 5, 10), ValueError, "n_test=361 is more than the 360 test images"),
        (("digits", 50, 1, 5, 11), ValueError, "digits has 10 classes, got classes=11"),
        (("gaussian", 50, 1, 10**8, 10), MemoryError, "of 10{8} x 10{8} inputs and 10 targets .* n_test, side or"),
    ],
    ids=str,
)
def test_bad_images(arguments, error, message):
    with pytest.raises(error, match=message):
        get_images(*arguments)
