"""Small image data sets as float64 arrays: classes selected, targets encoded, images shrunk.

A sample is one vector (`get_dataset`), a sequence of tokens (`get_tokens`) or an image (`get_images`).

Downloads go to the folder that the environment variable HESSIAN_DATA names, or else to `downloads` in `home()`.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs

import checks


class Dataset(NamedTuple):
    """Training and test data, NumPy float64. The shapes are those of vectors, of tokens and of images in turn."""

    x_train: np.ndarray  # (n_train, dim), (n_train, t, dim) or (n_train, side, side, 1)
    y_train: np.ndarray  # (n_train, K), (n_train, t, K) or (n_train, K)
    x_test: np.ndarray  # as x_train, with n_test samples
    y_test: np.ndarray  # as y_train, with n_test samples


def get_dataset(name, n_train, n_test, dim, classes, seed=0):
    """Return the first `n_train` training and `n_test` test samples of the first `classes` classes.

    Training and test images go through the same steps:

    1. Keep the images of the first `classes` classes, and of these the first n.
    2. Encode the labels as targets.
    3. Turn the pixels, 0..255 (digits: 0..16), into float64 in [0, 1].
    4. Reduce colour to one channel by its luma 0.299 R + 0.587 G + 0.114 B.
    5. Shrink to sqrt(dim) x sqrt(dim) pixels by bilinear interpolation with anti-aliasing.
    6. Flatten row by row.

    Nothing is centred or scaled otherwise.

    Args:
        name: 'digits', 'MNIST', 'FashionMNIST', 'CIFAR10' (also called 'CIFAR') or 'gaussian'. The digits are
            scikit-learn's 1797 images of 8 x 8 and need no download: the first 1437 are for training, the last 360 for
            testing. torchvision downloads 'MNIST', 'FashionMNIST' (28 x 28) and 'CIFAR10' (32 x 32) once. 'gaussian'
            is a mixture of `classes` unit Gaussians in R^dim (two for classes = 1) with standard normal means.
        n_train: number of training samples.
        n_test: number of test samples, 0 for none.
        dim: number of inputs d. For images it is a perfect square.
        classes: 2 to 10 (or more, for 'gaussian') for one-hot targets of that width; 1 for the first two classes as -1
            and +1 on one output.
        seed: of the Gaussian mixture. The images do not depend on it.

    Returns:
        Dataset of float64 arrays.

    Raises:
        TypeError: for a number that is not an integer.
        ValueError: for an unknown name, a `dim` that is not a perfect square or larger than the images, or more samples
            or classes than there are.
        MemoryError: if the Gaussian samples would not fit in memory.
        RuntimeError: if a download fails or its files are damaged.

    Example:
        >>> from data import get_dataset
        >>> data = get_dataset("digits", n_train=50, n_test=20, dim=25, classes=10)
        >>> data.x_train.shape, data.y_train.shape, data.x_test.shape
        ((50, 25), (50, 10), (20, 25))
        >>> data.y_train[3].tolist()  # the fourth image is a 3
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    load, dim = _loader(name), checks.integer("dim", dim)
    if load is not None and math.isqrt(dim) ** 2 != dim:
        near = math.isqrt(dim) ** 2, (math.isqrt(dim) + 1) ** 2
        raise ValueError(f"dim={dim} is not a perfect square, and images are square; try {near[0]} or {near[1]}")
    return _samples(name, n_train, n_test, classes, seed, (dim,), ["dim"])


def get_tokens(name, n_train, n_test, dim, classes, seed=0, length=None):
    """Return samples that are sequences of t tokens in R^d, for attention. Every token has the target of its sample.

    The tokens of an image are its rows, from top to bottom. They are the numbers of `get_dataset` for dim^2 inputs.
    Those of 'gaussian' are the numbers of `get_dataset` for t d inputs: independent standard normal vectors, each added
    to a mean, which depends on the sample's class and on the token's place.

    Args:
        name, n_train, n_test, classes, seed: as in `get_dataset`.
        dim: d, the number of inputs of a token. Images are shrunk to dim x dim pixels, so that t = d.
        length: t, the number of tokens, which is free for 'gaussian'. None for `dim`.

    Returns:
        Dataset of float64 arrays: x_train (n_train, t, d), y_train (n_train, t, K), x_test and y_test likewise.

    Raises:
        TypeError, ValueError, MemoryError, RuntimeError: as in `get_dataset`. ValueError also for images of another
            `length` than `dim`.

    Example:
        >>> from data import get_tokens
        >>> data = get_tokens("digits", n_train=50, n_test=20, dim=5, classes=10)
        >>> data.x_train.shape, data.y_train.shape
        ((50, 5, 5), (50, 5, 10))
        >>> get_tokens("gaussian", n_train=50, n_test=0, dim=3, classes=2, length=6).x_train.shape
        (50, 6, 3)
    """
    load, dim = _loader(name), checks.integer("dim", dim)
    length = dim if length is None else checks.integer("length", length)
    if load is not None and length != dim:
        raise ValueError(
            f"the tokens of {name} are the rows of images, as many as dim={dim}, got length={length}: leave length "
            "out, or choose 'gaussian', for which it is free"
        )
    found = _samples(name, n_train, n_test, classes, seed, (length, dim), ["length", "dim"], copies=length)
    each = lambda targets: np.repeat(targets[:, None], length, axis=1)
    return found._replace(y_train=each(found.y_train), y_test=each(found.y_test))


def get_images(name, n_train, n_test, side, classes, seed=0):
    """Return images of one channel, for convolutional networks.

    They are the numbers of `get_dataset` for side^2 inputs. The pixels of 'gaussian' are independent of each other.

    Args:
        name, n_train, n_test, classes, seed: as in `get_dataset`.
        side: height and width of an image in pixels.

    Returns:
        Dataset of float64 arrays: x_train (n_train, side, side, 1), y_train (n_train, K), x_test and y_test likewise.

    Raises:
        TypeError, ValueError, MemoryError, RuntimeError: as in `get_dataset`.

    Example:
        >>> from data import get_images
        >>> data = get_images("digits", n_train=50, n_test=20, side=7, classes=10)
        >>> data.x_train.shape, data.y_train.shape
        ((50, 7, 7, 1), (50, 10))
    """
    side = checks.integer("side", side)
    found = _samples(name, n_train, n_test, classes, seed, (side, side), ["side"])
    return found._replace(x_train=found.x_train[..., None], x_test=found.x_test[..., None])


def home():
    """Return the folder that holds `downloads` and `results`.

    In a checkout of this project, and so in an editable install, it is the checkout itself. In any other install it is
    a folder of the user's, such as ~/.local/share/hessian-rank on Linux.
    """
    here = Path(__file__).parent
    return here if (here / "pyproject.toml").exists() else platformdirs.user_data_path("hessian-rank")


def _loader(name):
    """Return the loader of a data set, None for 'gaussian'."""
    return checks.choice("dataset", _ALIASES.get(name, name) if isinstance(name, str) else name, DATASETS)


def _samples(name, n_train, n_test, classes, seed, shape, sizes, copies=1):
    """Return a Dataset of inputs (n, *shape) and targets (n, K).

    Args:
        name, n_train, n_test, classes, seed: as in `get_dataset`.
        shape: (d,), or (height, width).
        sizes: names of the arguments that the shape is made of, for messages. The last is the one of an image's size.
        copies: how many copies of the targets the caller will make.
    """
    load = _loader(name)
    wanted = {"train": checks.integer("n_train", n_train), "test": checks.integer("n_test", n_test, minimum=0)}
    classes = checks.integer("classes", classes)
    if load is None:
        splits = _gaussian(wanted, shape, classes, checks.integer("seed", seed, minimum=0), sizes, copies)
    elif classes > 10:
        raise ValueError(f"{name} has 10 classes, got classes={classes}; choose 2 to 10, or 1 for -1/+1 targets")
    else:
        select = lambda split, n: _select(name, split, load(split == "train"), n, shape, classes, sizes[-1])
        splits = [select(split, n) for split, n in wanted.items()]
    (x_train, y_train), (x_test, y_test) = [
        (inputs.reshape(len(inputs), *shape), _encode(labels, classes)) for inputs, labels in splits
    ]
    return Dataset(x_train, y_train, x_test, y_test)


def _downloads():
    """Return the folder of downloads. Not every shell puts the user's home in the place of a leading ~."""
    return Path(os.path.expanduser(os.environ.get("HESSIAN_DATA") or home() / "downloads"))


def _select(name, split, loaded, n, shape, classes, size):
    """Return the first n images of the classes, (n, 1, side, side), and their labels, (n,)."""
    images, labels, white = loaded
    side, most = math.isqrt(math.prod(shape)), images.shape[-1]
    if side > most:
        power = 2 if len(shape) == 1 else 1  # of the side: what the caller gave is a number of pixels or a side
        raise ValueError(
            f"{size}={side**power} is larger than the images of {name}, {most} x {most}; choose {size} <= {most**power}"
        )
    chosen = np.flatnonzero(labels < max(classes, 2))
    if n > len(chosen):
        raise ValueError(
            f"n_{split}={n} is more than the {len(chosen)} {split} images that {name} has of the {max(classes, 2)} "
            f"classes chosen; choose n_{split} <= {len(chosen)}"
        )
    return _shrink(images[chosen[:n]], white, side), labels[chosen[:n]]


# The imports stand where they are needed: together they take three seconds, and many a network takes less.


def _shrink(images, white, side):
    """Return images (n, C, h, w) with pixels in 0..white as float64 (n, 1, side, side) in [0, 1]."""
    import torch

    pixels = torch.from_numpy(images).to(torch.float64) / white
    if pixels.shape[1] == 3:
        from torchvision.transforms.v2.functional import rgb_to_grayscale

        pixels = rgb_to_grayscale(pixels)
    if len(pixels) and pixels.shape[2:] != (side, side):
        pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return pixels.numpy()


def _encode(labels, classes):
    """Return one-hot targets (n, classes), or -1/+1 of shape (n, 1) for classes = 1."""
    return np.eye(classes)[labels] if classes > 1 else 2.0 * labels[:, None] - 1.0


def _digits(train):
    """Return images (n, C, h, w), labels (n,), and the value of a white pixel: what every loader returns."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    part = slice(None, 1437) if train else slice(1437, None)
    return digits.images[part, None], digits.target[part], 16


def _torchvision(name, own, archive=None):
    """Return the loader of one of torchvision's data sets, which has a folder of its own and may keep an archive."""

    def load(train):
        import torchvision

        folder = _downloads()
        source = getattr(torchvision.datasets, name)
        try:
            try:
                dataset = source(folder, train=train)
            except RuntimeError:  # not there yet, or its checksum is wrong
                dataset = source(folder, train=train, download=True)
            images, labels = np.asarray(dataset.data), np.asarray(dataset.targets)
            if len(images) != len(labels):
                raise ValueError(f"{len(images)} images but {len(labels)} labels")
        except Exception as error:
            beside = f", and {archive} beside it" if archive else ""
            raise RuntimeError(
                f"{name} could not be had in {folder}: {error!r}. Check the connection and run again; if the files in "
                f"{folder / own} are damaged, delete the folder first{beside}. dataset='digits' "
                "needs no download"
            ) from error
        return (images.transpose(0, 3, 1, 2) if images.ndim == 4 else images[:, None]), labels, 255

    return load


def _gaussian(wanted, shape, classes, seed, sizes, copies):
    """Return, for each split, x_i = mean of class (i mod classes) + standard normal, (n, d), and the labels."""
    mixed, dim = max(classes, 2), math.prod(shape)
    rows, columns = mixed + sum(wanted.values()), dim + copies * mixed
    inputs, targets = " x ".join(map(str, shape)), f"{copies} x {mixed}" if copies > 1 else mixed
    checks.memory(
        8 * 3 * rows * columns,  # a sum and its two terms at a time; the targets are as many rows
        f"{rows} means and samples of {inputs} inputs and {targets} targets take {8e-9 * rows * columns:.1f} GB, "
        "and three times as much while they are drawn",
        f"Choose a smaller n_train, n_test, {', '.join(sizes)} or classes",
    )
    means_key, *split_keys = np.random.SeedSequence(seed).spawn(1 + len(wanted))
    means = np.random.default_rng(means_key).standard_normal((mixed, dim))
    labels = [np.arange(n) % mixed for n in wanted.values()]
    return [
        (means[ids] + np.random.default_rng(key).standard_normal((len(ids), dim)), ids)
        for ids, key in zip(labels, split_keys, strict=True)
    ]


DATASETS = {
    "digits": _digits,
    "MNIST": _torchvision("MNIST", "MNIST"),
    "FashionMNIST": _torchvision("FashionMNIST", "FashionMNIST"),
    "CIFAR10": _torchvision("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "gaussian": None,
}
_ALIASES = {"CIFAR": "CIFAR10"}  # the name in the paper's notebook
