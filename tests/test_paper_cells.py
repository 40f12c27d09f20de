"""The calls of the paper's notebook run here as they stand there, with only its dead imports repaired."""

import jax.numpy as jnp
from jax import random
from jax.nn import log_softmax
from torch.utils.data import DataLoader

from architectures import fully_connected
from data import get_dataset
from dataloader import DatasetTorch
from hessians import loss_hessian, outer_prod
from initializers import get_init


def paper_ranks(dataset, cross):
    """Return the ranks of H_L, H_o and H_L - H_o, with losses written in the cell and weights cast to double."""
    n_train, dim, widths, classes, bs = 50, 25, [5, 10], 10, 10
    all_widths = [dim, *widths, classes]
    p = sum(all_widths[i] * all_widths[i + 1] for i in range(len(all_widths) - 1))
    data = get_dataset(dataset, n_train=n_train, n_test=1, dim=dim, classes=classes)
    train_loader = DataLoader(DatasetTorch(data.x_train, data.y_train), batch_size=bs)
    init = get_init("glorot")
    init_fn, apply_fn = fully_connected(units=widths, classes=classes, activation="linear", init=init)
    _, params = init_fn(random.PRNGKey(1), (-1, dim))
    params = [jnp.double(param) for param in params]

    def loss(preds, targets):
        if cross:
            return -jnp.sum(log_softmax(preds) * targets)
        return 1 / 2 * jnp.sum((preds - targets) ** 2)

    def loss_params(params, inputs, targets):
        return loss(apply_fn(params, inputs), targets)

    H_L, H_outer = jnp.zeros(shape=(p, p)), jnp.zeros(shape=(p, p))
    for batch_input, batch_label in train_loader:
        batch_input, batch_label = (batch_input.numpy(), batch_label.numpy())
        H_L += loss_hessian(loss_params, params, batch_input, batch_label)
        H_outer += outer_prod(loss, apply_fn, params, batch_input, batch_label, cross=cross)
    return [int(jnp.linalg.matrix_rank(matrix)) for matrix in (H_L - H_outer, H_outer, H_L)]


def test_squared_loss_on_digits():
    assert paper_ranks("digits", cross=False) == [175, 150, 250]


def test_cross_entropy_on_digits():
    assert paper_ranks("digits", cross=True) == [165, 145, 245]


def test_its_printed_figures_on_cifar(image_sets):
    assert paper_ranks("CIFAR", cross=False) == [175, 150, 250]
