import numpy as np
import pytest

from figures import show_images

ONE_HOT = np.eye(10)[np.arange(12) % 10]


def drawn(axes):
    return [axis for axis in axes.flat if axis.images]


def heading(axes):
    return axes.flat[0].figure.get_suptitle()


def test_images_are_the_inputs_with_their_classes():
    inputs = np.random.default_rng(0).random((12, 25))
    axes = show_images(inputs, ONE_HOT, count=11)
    assert [axis.get_title() for axis in drawn(axes)] == [str(i % 10) for i in range(11)]
    for axis, image in zip(drawn(axes), inputs, strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), image.reshape(5, 5))
    assert heading(axes) == "The first 11 inputs, 5 × 5 pixels, with their class"


def test_inputs_that_are_no_squares_and_signs_as_classes():
    axes = show_images(np.ones((3, 7)), np.array([[-1.0], [1.0], [1.0]]))
    assert [axis.get_title() for axis in axes.flat] == ["-1", "+1", "+1"]
    assert axes.flat[0].images[0].get_array().shape == (1, 7)


@pytest.mark.parametrize(
    ("n", "dim", "pixels", "expected"),
    [
        (1, 25, True, "The first input, 5 × 5 pixels, with its class"),
        (1, 25, False, "The first input, 25 numbers, with its class"),
        (1, 1, False, "The first input, 1 number, with its class"),
        (2, 1, True, "The first 2 inputs, 1 × 1 pixel, with their class"),
        (2, 1, False, "The first 2 inputs, 1 number each, with their class"),
        (3, 7, True, "The first 3 inputs, 7 numbers each, with their class"),
        (3, 7, False, "The first 3 inputs, 7 numbers each, with their class"),
        (12, 25, False, "The first 10 inputs, 25 numbers each, with their class"),
    ],
)
def test_the_heading_says_what_there_is(n, dim, pixels, expected):
    axes = show_images(np.random.default_rng(0).normal(size=(n, dim)), ONE_HOT[:n], pixels=pixels)
    assert heading(axes) == expected
    assert len(drawn(axes)) == min(n, 10)
    square = "pixel" in expected
    assert axes.flat[0].images[0].get_array().shape == ((int(dim**0.5),) * 2 if square else (1, dim))
    box = axes.flat[0].figure._suptitle.get_window_extent()
    assert box.x0 >= 0  # the heading is not cut off
    assert box.x1 <= axes.flat[0].figure.bbox.x1


@pytest.mark.parametrize(
    ("target", "title"),
    [
        ([0.0, 0.0, 1.0], "2"),
        ([0.0, 0.0, 0.0], "–"),
        ([0.05, 0.9, 0.05], "1"),  # smoothed
        ([0.4, 0.4, 0.2], "–"),
        ([1.0, 1.0, 0.0], "–"),
        ([-0.3, 0.2, 1.1], "–"),
        ([0, 1, 0], "1"),
        ([1.0], "+1"),
        ([-1.0], "-1"),
        ([0.0], "–"),
        ([2.5], "+2.5"),
    ],
)
def test_a_class_is_named_only_by_what_is_one(target, title):
    axes = show_images(np.ones((2, 4)), np.array([target, target]), count=1)
    assert [axis.get_title() for axis in drawn(axes)] == [title]
    assert heading(axes).endswith("pixels") == (title == "–")


def test_inputs_without_a_class_among_others():
    axes = show_images(np.ones((3, 4)), np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    assert [axis.get_title() for axis in axes.flat] == ["0", "–", "1"]
    assert heading(axes) == "The first 3 inputs, 2 × 2 pixels, with their class (–: none)"


@pytest.mark.parametrize("value", [0.0, 1.0, -3e5])
def test_constant_images(value):
    assert len(drawn(show_images(np.full((12, 25), value), ONE_HOT))) == 10


def test_integers_and_jax_arrays():
    jnp = pytest.importorskip("jax.numpy")
    axes = show_images(jnp.arange(8).reshape(2, 4), jnp.eye(2, dtype=int))
    assert [axis.get_title() for axis in drawn(axes)] == ["0", "1"]


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (
            np.ones((3, 4)),
            np.ones(3),
            r"targets must be \(n, K\) one-hot, or \(n, 1\) .* shape \(3,\); targets\[:, None]",
        ),
        (
            np.ones((3, 4)),
            np.ones((3, 2, 2)),
            r"targets must be \(n, K\) one-hot, .* got shape \(3, 2, 2\); make one row",
        ),
        (np.ones((3, 4)), np.ones((3, 0)), r"targets must be \(n, K\) one-hot, .* got shape \(3, 0\)"),
        (np.ones((3, 2, 2)), np.ones((3, 1)), r"inputs must be \(n, d\), .* shape \(3, 2, 2\); .*reshape\(len\(inputs"),
        (np.ones(4), np.ones((4, 1)), r"inputs must be \(n, d\), .* got shape \(4,\)"),
        (np.ones((0, 4)), np.ones((0, 1)), r"inputs must be \(n, d\), .* got shape \(0, 4\)"),
        (np.ones((3, 0)), np.ones((3, 1)), r"inputs must be \(n, d\), .* got shape \(3, 0\)"),
        (np.ones((3, 4)), np.ones((2, 1)), "got 3 inputs and 2 rows of targets; take the same samples of both"),
        (np.full((1, 4), np.nan), np.ones((1, 1)), "inputs must be finite, but 4 of 4 entries"),
        (np.ones((1, 4)), np.full((1, 1), np.inf), "targets must be finite, but 1 of 1 entries"),
    ],
)
def test_bad_inputs_and_targets(inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        show_images(inputs, targets)


def test_a_bad_count():
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        show_images(np.ones((3, 4)), np.ones((3, 1)), count=0)
    with pytest.raises(TypeError, match="count must be an integer"):
        show_images(np.ones((3, 4)), np.ones((3, 1)), count=2.5)
