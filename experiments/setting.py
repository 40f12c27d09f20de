"""The hyperparameters of one network, as in the notebooks, and the network that they make."""

from typing import NamedTuple

from architectures import ACTIVATIONS, count_parameters, fully_connected
from closed_forms import biased_ranks, linear_ranks
from data import DATASETS
from initializers import INITIALIZERS, get_init
from losses import LOSSES, get_loss

CHOICES = {"dataset": DATASETS, "activation": ACTIVATIONS, "init_name": INITIALIZERS, "loss_name": LOSSES}


class Setting(NamedTuple):
    """The hyperparameters of the notebooks, without the seed of the weights, with their defaults.

    Example:
        >>> from experiments.setting import Setting
        >>> Setting(bias=True)
        Setting(dataset='digits', n_train=50, dim=25, widths=(5, 10), classes=10, activation='linear', bias=True,
                init_name='glorot', loss_name='mse', bs=10)
    """

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
    """Return p, the number of parameters of a setting's network.

    Raises:
        TypeError, ValueError: if the hyperparameters make no network.

    Example:
        >>> from experiments.setting import Setting, parameters
        >>> parameters(Setting())  # 25 x 5 + 5 x 10 + 10 x 10
        275
    """
    network(setting)  # for its checks
    return count_parameters(setting.dim, setting.widths, setting.classes, setting.bias)


def network(setting):
    """Return (init_fn, apply_fn) of a setting, as `architectures.fully_connected` does.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from experiments.setting import Setting, network
        >>> init_fn, apply_fn = network(Setting(widths=(5,)))
        >>> _, params = init_fn(jax.random.key(0), (-1, 25))
        >>> [weights.shape for weights in params]
        [(25, 5), (5, 10)]
    """
    get_loss(setting.loss_name)
    init = get_init(setting.init_name)
    return fully_connected(setting.widths, setting.classes, setting.activation, init, bias=setting.bias)


def closed_forms(setting, r):
    """Return the closed forms of the linear network of a setting, for data of rank r.

    Args:
        setting: Setting.
        r: rank of the data, of the centred data with biases.

    Returns:
        HessianTriple of ints (`closed_forms.linear_ranks`, or `biased_ranks` with biases).

    Example:
        >>> from experiments.setting import Setting, closed_forms
        >>> closed_forms(Setting(), r=25)
        HessianTriple(functional=175, outer=150, loss=250)
    """
    ranks = biased_ranks if setting.bias else linear_ranks
    return ranks(r, setting.classes, setting.widths, setting.loss_name)
