import numpy as np

from figures import show_images


def test_images_are_the_inputs_with_their_classes():
    inputs, targets = np.random.default_rng(0).random((12, 25)), np.eye(10)[np.arange(12) % 10]
    axes = show_images(inputs, targets, count=11)
    drawn = [axis for axis in axes.flat if axis.images]
    assert [axis.get_title() for axis in drawn] == [str(i % 10) for i in range(11)]
    for axis, image in zip(drawn, inputs, strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), image.reshape(5, 5))


def test_inputs_that_are_no_squares_and_signs_as_classes():
    axes = show_images(np.ones((3, 7)), np.array([[-1.0], [1.0], [1.0]]))
    assert [axis.get_title() for axis in axes.flat] == ["-1", "+1", "+1"]
    assert axes.flat[0].images[0].get_array().shape == (1, 7)
