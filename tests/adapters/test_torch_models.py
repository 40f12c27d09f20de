"""PyTorch's own values and second derivatives are the oracle: double backward through the model in float64."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from adapters.torch_models import from_torch, loss_from_torch
from adapters.torch_preparation import plain_float64

RNG = np.random.default_rng(0)
TOKENS = np.array([[1, 2, 0], [3, 4, 1], [0, 0, 2]])


def normal(*shape):
    """Return three samples."""
    return RNG.normal(size=(3, *shape))


class Wrapped(nn.Module):
    """A function of layers and inputs."""

    def __init__(self, function, *layers):
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, *inputs, **named):
        return self.function(*self.layers, *inputs, **named)


class Buffers(nn.Module):
    """A buffer that changes at every call, a plain tensor, and frozen parameters."""

    def __init__(self):
        super().__init__()
        self.trained, self.frozen = nn.Linear(3, 3), nn.Linear(3, 2).requires_grad_(False)
        self.register_buffer("calls", torch.zeros(()))
        self.plain = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, x):
        self.calls += 1
        x = torch.tanh(self.trained(x * self.plain)).clone()
        x[:, 0] = self.calls * x[:, 1]
        return self.frozen(x).add_(1)


def tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    return model


def tokens():
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, activation="gelu", norm_first=True)
    return Wrapped(lambda e, t, d, x: d(t(e(x)).mean(1)), nn.Embedding(5, 4, padding_idx=0), layer, nn.Linear(4, 2))


CNN = (
    nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(16, 2),
)  # fmt: skip
GENERATOR = (
    nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1), nn.GroupNorm(2, 4), nn.SiLU(),
    nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Linear(24, 2),
)  # fmt: skip

torch.manual_seed(0)
MODELS = {
    "mlp": (nn.Sequential(nn.Linear(3, 4), nn.ELU(), nn.LayerNorm(4), nn.Linear(4, 2)), normal(3)),
    "cnn": (nn.Sequential(*CNN), normal(2, 5, 4)),
    "tokens": (tokens(), TOKENS),
    "lstm": (Wrapped(lambda lstm, x: lstm(x)[0], nn.LSTM(3, 2, batch_first=True, bidirectional=True)), normal(2, 3)),
    "gru cell": (Wrapped(lambda cell, x: cell(x), nn.GRUCell(3, 2)), normal(3)),
    "generator": (nn.Sequential(*GENERATOR), normal(2, 3, 3)),
    "tied": (tied(), normal(3)),
    "buffers": (Buffers(), normal(3)),
    "attention": (
        Wrapped(lambda layer, x, m: layer(x, x, x, key_padding_mask=m), nn.MultiheadAttention(4, 2, batch_first=True)),
        (normal(3, 4), np.array([[0, 0, 1], [0, 0, 0], [0, 1, 1]], bool)),
    ),
    "named": (
        Wrapped(lambda layer, x, scale: {"sum": layer(x) * scale, "sizes": (x.abs().sum(1),)}, nn.Linear(3, 2)),
        {"x": normal(3), "scale": normal(1)},
    ),
}
for model, _ in MODELS.values():
    model.eval()


def in_torch(model, inputs, direction):
    """Return outputs, and the product of the Hessian of half their sum of squares with a direction."""
    model = copy.deepcopy(model).double()
    if isinstance(model, Buffers):
        model.plain = model.plain.double()
    tensors = jax.tree.map(torch.tensor, inputs)
    with plain_float64(), sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
        if isinstance(tensors, dict):
            outputs = model(**tensors)
        else:
            outputs = model(*tensors) if isinstance(tensors, tuple) else model(tensors)
        weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        half = sum((x**2).sum() for x in jax.tree.leaves(outputs)) / 2
        slopes = torch.autograd.grad(half, weights.values(), create_graph=True)
        along = sum((torch.tensor(direction[name]) * g).sum() for name, g in zip(weights, slopes, strict=True))
        image = torch.autograd.grad(along, weights.values(), allow_unused=True, materialize_grads=True)
    return [x.detach().numpy() for x in jax.tree.leaves(outputs)], dict(zip(weights, image, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_second_derivatives_are_those_of_pytorch(name):
    model, inputs = MODELS[name]
    before = copy.deepcopy(model.state_dict())
    apply_fn, params = from_torch(model, jax.tree.map(lambda x: x[:2], inputs))  # the example has another size
    assert params.keys() == {key for key, value in model.named_parameters() if value.requires_grad}
    direction = jax.tree.map(lambda value: np.random.default_rng(1).normal(size=value.shape), params)
    half = lambda w, x: sum(jnp.sum(y**2) for y in jax.tree.leaves(apply_fn(w, x))) / 2
    product = jax.jit(lambda w, v, x: jax.jvp(jax.grad(half), (w, x), (v, jax.tree.map(tangent, x)))[1])
    outputs, image = in_torch(model, inputs, direction)
    found = apply_fn(params, inputs)
    for ours, theirs in zip(jax.tree.leaves(found), outputs, strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-12 * abs(theirs).max())
    largest = max(float(abs(value).max()) for value in image.values())
    for key, value in product(params, direction, inputs).items():
        assert_allclose(value, image[key].numpy(), rtol=0, atol=1e-12 * largest)
    for key, value in model.state_dict().items():  # the model is what it was
        assert value.dtype == before[key].dtype
        assert torch.equal(value, before[key])
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.get_default_dtype() == torch.float32


def tangent(x):
    """Return the tangent of a constant."""
    is_real = jnp.issubdtype(x.dtype, jnp.floating)
    return np.zeros(x.shape) if is_real else np.zeros(x.shape, jax.dtypes.float0)


def test_structures_stay():
    model, inputs = MODELS["named"]
    apply_fn, params = from_torch(model, {key: torch.tensor(value).float() for key, value in inputs.items()})
    outputs = apply_fn(params, inputs)
    assert outputs.keys() == {"sum", "sizes"}
    assert isinstance(outputs["sizes"], tuple)
    with pytest.raises(ValueError, match=r"names of the model's parameters, \['layers.0.weight', 'layers.0.bias'\]"):
        apply_fn({}, inputs)


def test_all_is_float64_and_can_be_mapped():
    apply_fn, params = from_torch(MODELS["mlp"][0], MODELS["mlp"][1])
    inputs = MODELS["mlp"][1]
    assert "f32" not in str(jax.make_jaxpr(jax.grad(lambda w: apply_fn(w, inputs).sum()))(params))
    each = jax.vmap(lambda x: apply_fn(params, x[None])[0])(inputs)
    assert_allclose(each, apply_fn(params, inputs), rtol=1e-13)


def straight_through(layer, x):
    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return torch.sin(x)

        @staticmethod
        def backward(_, slope):
            return slope

    return Identity.apply(layer(x))


REFUSED_FUNCTIONS = {
    "float": (lambda f, x: f(x).float(), ValueError, "_to_copy.*in Wrapped computes in float32.*x.double()"),
    "detach": (lambda f, x: f(x).detach() * f(x), ValueError, "detaches numbers that depend on the parameters"),
    "data": (lambda f, x: f(x).data * f(x), ValueError, "detaches numbers that depend on the parameters"),
    "item": (lambda f, x: f(x).sum().item() * f(x), ValueError, "turns numbers .* into Python numbers"),
    "if": (lambda f, x: f(x) if x.sum() > 0 else -f(x), ValueError, "use torch.where"),
    "random": (lambda f, x: f(x) + torch.randn(2, 3), ValueError, "aten.randn.* in Wrapped draws random numbers"),
    "dropout": (lambda f, x: nn.functional.dropout(f(x)), ValueError, "draws random numbers"),
    "fourier": (lambda f, x: torch.fft.rfft(f(x)).abs(), NotImplementedError, "aten._fft_r2c.*no translation into JAX"),
    "svd": (lambda f, x: torch.linalg.svdvals(f(x)), NotImplementedError, "use adapters.torch_operators.operators"),
    "mask": (lambda f, x: f(x)[x > 0], NotImplementedError, "length that depends on numbers"),
    "backward": (straight_through, RuntimeError, "other gradients than in PyTorch: they differ by .*backward"),
    "no_grad": (lambda f, x: f(x) * torch.no_grad()(lambda: f(x) * 1)(), RuntimeError, "other gradients.*no_grad"),
    "numpy": (lambda f, x: f(x) * float(x.detach().numpy()[0, 0]), ValueError, "out of PyTorch, by numpy"),
    "list": (lambda f, x: f(x).add_(x.tolist()[0][0]), ValueError, "out of PyTorch, by tolist"),
    "outputs": (lambda f, x: (f(x), 3), TypeError, "must return a tensor, or .* got a int among"),
}


@pytest.mark.parametrize("name", REFUSED_FUNCTIONS)
def test_what_is_no_function_of_its_parameters_is_refused(name):
    function, error, message = REFUSED_FUNCTIONS[name]
    with pytest.raises(error, match=message):
        from_torch(Wrapped(function, nn.Linear(3, 3)), RNG.normal(size=(2, 3)))
    assert torch.get_default_dtype() == torch.float32


def mixed():
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3).half())


REFUSED_MODELS = {
    "batch norm": (lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), ValueError, r"1 \(BatchNorm1d\).*eval"),
    "no statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False).eval(), ValueError, "no running statistics"),
    "instance": (lambda: nn.InstanceNorm1d(3, track_running_stats=True), ValueError, "InstanceNorm1d is in training"),
    "dropout": (lambda: nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1)), ValueError, r"1 \(Dropout\).*random.*eval"),
    "attention": (lambda: nn.MultiheadAttention(4, 2, dropout=0.1), ValueError, "MultiheadAttention is in training"),
    "lstm": (lambda: nn.LSTM(3, 3, num_layers=2, dropout=0.1), ValueError, "LSTM is in training mode.*dropout"),
    "lazy": (lambda: nn.LazyLinear(3), ValueError, "the parameter weight has no shape yet"),
    "frozen": (lambda: nn.Linear(3, 3).requires_grad_(False), ValueError, "no parameter with requires_grad"),
    "complex": (lambda: nn.Linear(3, 3, dtype=torch.complex64), TypeError, "the parameter weight is complex"),
    "mixed": (mixed, TypeError, "0.weight is torch.float32 and 1.weight is torch.float16"),
}


@pytest.mark.parametrize("name", REFUSED_MODELS)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.filterwarnings("ignore:Complex modules are a new feature:UserWarning")
def test_models_without_a_hessian_per_sample_are_refused(name):
    model, error, message = REFUSED_MODELS[name]
    with pytest.raises(error, match=message):
        from_torch(model(), RNG.normal(size=(2, 3)))


CLASSES, PROBABILITIES = np.array([0, 2, 1, 1]), RNG.uniform(0.1, 0.9, (4, 3))
OUTPUTS = RNG.uniform(0.1, 0.9, (4, 3))
LOSSES = {
    "cross-entropy": (
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]), ignore_index=1, label_smoothing=0.1, reduction="sum"),
        CLASSES,
    ),
    "nll": (lambda p, y: nn.functional.nll_loss(p.log_softmax(1), y, reduction="sum"), CLASSES),
    "mse": (nn.MSELoss(reduction="sum"), PROBABILITIES),
    "l1": (nn.L1Loss(reduction="sum"), PROBABILITIES),
    "huber": (nn.HuberLoss(delta=0.2, reduction="sum"), PROBABILITIES),
    "smooth l1": (nn.SmoothL1Loss(beta=0.2, reduction="sum"), PROBABILITIES),
    "logits": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 3.0]), reduction="sum"), PROBABILITIES),
    "gaussian": (lambda p, y: nn.GaussianNLLLoss(reduction="sum")(p[:, :1], y[:, :1], p[:, 1:2]), PROBABILITIES),
    "divergence": (nn.KLDivLoss(reduction="sum"), PROBABILITIES),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_the_value_and_the_hessian_of_pytorch(name):
    loss_fn, targets = LOSSES[name]
    loss = loss_from_torch(loss_fn)
    original = copy.deepcopy(loss_fn).double() if isinstance(loss_fn, nn.Module) else loss_fn
    expected = original(torch.tensor(OUTPUTS), torch.tensor(targets))
    assert_allclose(jax.jit(loss)(OUTPUTS, targets), expected, rtol=1e-13)  # checked while it is traced
    hessian = jax.hessian(lambda x: loss(x, targets))(OUTPUTS)
    theirs = torch.autograd.functional.hessian(lambda x: original(x, torch.tensor(targets)), torch.tensor(OUTPUTS))
    assert_allclose(hessian, theirs.numpy(), rtol=0, atol=1e-12 * max(float(abs(theirs).max()), 1))


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"the loss must be one number, got \[\(4, 3\)\]: take reduction='sum'"):
        loss_from_torch(nn.MSELoss(reduction="none"))(OUTPUTS, PROBABILITIES)
