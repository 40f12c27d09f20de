"""The hyperparameters of one network, as in the notebooks, and the network that they make."""

from typing import NamedTuple

import jax

from architectures import ACTIVATIONS, fully_connected
from closed_forms import biased_ranks, linear_ranks
from data import DATASETS
from hessians import num_params
from initializers import INITIALIZERS, get_init
from losses import LOSSES, get_loss

CHOICES = {"dataset": DATASETS, "activation": ACTIVATIONS, "init_name": INITIALIZERS, "loss_name": LOSSES}


class Setting(NamedTuple):
    """The hyperparameters of the notebooks, the seed of the weights aside, with their defaults."""

    dataset: str = "digits"
    n_train: int = 50
    dim: int = 25
    widths: tuple = (5, 10)
    classes: int = 10
    activation: str = "linear"
    bias: bool = False
    init_name: str = "glorot"
    loss_name: str = "mse"
    bs: int = 10


def parameters(setting):
    """Return p; raise an error if the hyperparameters make no network."""
    init_fn, _ = network(setting)
    return num_params(jax.eval_shape(lambda: init_fn(jax.random.PRNGKey(0), (-1, setting.dim))[1]))


def network(setting):
    """Return (init_fn, apply_fn) of a setting."""
    get_loss(setting.loss_name)
    init = get_init(setting.init_name)
    return fully_connected(setting.widths, setting.classes, setting.activation, init, bias=setting.bias)


def closed_forms(setting, r):
    """Return the closed forms of the linear network of a setting, for data of rank r."""
    ranks = biased_ranks if setting.bias else linear_ranks
    return ranks(r, setting.classes, setting.widths, setting.loss_name)
