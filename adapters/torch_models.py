"""PyTorch models and losses as JAX functions in float64.

    apply_fn, params = from_torch(model.eval(), inputs[:2])
    loss = loss_from_torch(torch.nn.CrossEntropyLoss(reduction="sum"))

A model is traced to ATen operations once for each shape of its inputs, and every operation is carried out by JAX
(`torch_traces`, `aten_rules`). The result is compared with PyTorch's own, at weights and inputs nearby, gradients
included, so that a wrong rule cannot give a wrong rank.
"""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import torch

import checks
from adapters import torch_preparation
from adapters.torch_traces import carried_out, traced

_EQUAL = 1e-9, 1e-8  # for outputs and gradients, relative to the largest; rounding leaves some 1e-14
_KEPT = 32  # programs, one for each shape of the inputs
_QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # it runs once


def from_torch(model, inputs):
    """Return a PyTorch model as a JAX function of its parameters, and these. The model itself is not changed.

    Args:
        model: torch.nn.Module. A parameter that stands at two places is one parameter. Parameters with
            requires_grad=False and buffers are constants of apply_fn.
        inputs: an example batch, of two samples for instance: a tensor or an array, a tuple of several for several
            arguments, or a dict for keyword arguments. Floating-point numbers become float64.

    Returns:
        apply_fn: F(params, inputs) -> what the model returns, as arrays. Inputs are arrays in the structure of the
            example, batches of any size.
        params: dict of NumPy float64 arrays, with the names of `model.named_parameters()`, in the order of these.

    Raises:
        TypeError: for parameters that are complex, quantized or of several dtypes; if JAX is not set to float64.
        ValueError: for modules in training mode (batch normalization, dropout), random parts, decisions by numbers,
            `detach` of what depends on parameters, and conversions to float32.
        NotImplementedError: for an ATen operation without a rule; the message names it.
        RuntimeError: if outputs or gradients differ from PyTorch's.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np, torch
        >>> from adapters.torch_models import from_torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        >>> apply_fn, params = from_torch(model, np.ones((2, 3)))
        >>> list(params)
        ['0.weight', '0.bias', '2.weight', '2.bias']
        >>> apply_fn(params, np.ones((5, 3))).shape
        (5, 2)
    """
    checks.float64()
    this = torch_preparation.prepared(model)

    @functools.lru_cache(maxsize=_KEPT)
    def program(tree, shapes):
        count = len(this.names)
        function = lambda tensors: torch_preparation.call(this, tensors[:count], tree.unflatten(tensors[count:]))
        parameters = [parameter.clone().requires_grad_() for parameter in this.parameters]
        with torch_preparation.plain_float64():
            return traced(function, parameters + [_placeholder(*shape) for shape in shapes], count, this.stack)

    def apply_fn(params, inputs):
        if set(params) != set(this.names):
            raise ValueError(
                f"params must be a dict with the names of the model's parameters, {this.names}, got {list(params)}; "
                "take the one that from_torch returns"
            )
        leaves, tree = jax.tree.flatten(inputs)
        arrays = [_array(leaf) for leaf in leaves]
        weights = [jnp.asarray(params[name]) for name in this.names]
        return carried_out(program(tree, _shapes(arrays)), weights + arrays)

    named = zip(this.names, this.parameters, strict=True)
    params = collections.OrderedDict((name, parameter.numpy().copy()) for name, parameter in named)
    weights, nearby = _nearby(this, params), jax.tree.map(lambda x: _moved(_numpy(x)), inputs)
    _check(
        "model",
        lambda weights: apply_fn(dict(zip(this.names, weights, strict=True)), nearby),
        lambda tensors: torch_preparation.call(this, tensors, jax.tree.map(torch_preparation.tensor, nearby)),
        weights,
    )
    return apply_fn, params


def loss_from_torch(loss_fn):
    """Return a PyTorch loss as a JAX function of predictions and targets.

    Args:
        loss_fn: torch.nn.Module such as torch.nn.CrossEntropyLoss(reduction="sum"), or a function of two tensors. It
            has to return one number.

    Returns:
        loss(predictions, targets) -> scalar, each an array or a tree of arrays. Targets may be integers. It is compared
        with PyTorch's at the first call for each shape.

    Raises:
        ValueError, NotImplementedError, RuntimeError: from the loss, as in `from_torch`, and ValueError for a loss that
            is not one number.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np, torch
        >>> from adapters.torch_models import loss_from_torch
        >>> loss = loss_from_torch(torch.nn.MSELoss(reduction="sum"))
        >>> float(loss(np.zeros((2, 3)), np.ones((2, 3))))
        6.0
    """
    checks.float64()
    function = loss_fn
    if isinstance(loss_fn, torch.nn.Module):
        torch_preparation.check_mode(loss_fn)
        function = torch_preparation.in_double(loss_fn)
    programs = {}

    def program(trees, count, arrays):
        key = *trees, _shapes(arrays)
        if key not in programs:
            both = lambda tensors: function(trees[0].unflatten(tensors[:count]), trees[1].unflatten(tensors[count:]))
            with torch_preparation.plain_float64():
                found = traced(
                    both, [_placeholder(*shape).requires_grad_(i < count) for i, shape in enumerate(key[2])], count, []
                )
            _check_loss(found, both, count, arrays)
            if len(programs) >= _KEPT:
                programs.clear()
            programs[key] = found
        return programs[key]

    def loss(predictions, targets):
        (first, one), (second, other) = jax.tree.flatten(predictions), jax.tree.flatten(targets)
        arrays = [_array(leaf) for leaf in [*first, *second]]
        return carried_out(program((one, other), len(first), arrays), arrays)

    return loss


def _check_loss(found, function, count, arrays):
    """Compare a loss with PyTorch's, at random predictions, and at the targets if they are known already."""
    generator = np.random.default_rng(0)
    predictions = [generator.uniform(0.1, 0.9, x.shape) for x in arrays[:count]]  # probabilities to some losses
    targets = [
        np.ones(x.shape, x.dtype)
        if jnp.issubdtype(x.dtype, jnp.floating)
        else np.zeros(x.shape, x.dtype)
        if isinstance(x, jax.core.Tracer)
        else np.asarray(x)
        for x in arrays[count:]
    ]
    tensors = [torch_preparation.tensor(x) for x in targets]
    _check(
        "loss",
        lambda values: carried_out(found, [*values, *map(jnp.asarray, targets)]),
        lambda values: function([*values, *tensors]),
        predictions,
    )


def _check(what, function, original, values):
    """Check that a translation has the outputs and the gradient of PyTorch's function, at some values.

    Args:
        what: is translated, for messages.
        function, original: of lists of arrays and of tensors.
        values: list of NumPy arrays.
    """
    tensors = [torch.from_numpy(value.copy()).requires_grad_() for value in values]
    with torch_preparation.plain_float64():
        expected, _ = torch_preparation.flattened(original(tensors))
        if what == "loss" and (len(expected) != 1 or expected[0].ndim):
            raise ValueError(
                f"the loss must be one number, got {[tuple(x.shape) for x in expected]}: take reduction='sum'"
            )
        generator = np.random.default_rng(1)
        factors = [generator.standard_normal(x.shape) if x.is_floating_point() else None for x in expected]
        total = sum(
            (torch.from_numpy(np.asarray(c)) * x).sum() for c, x in zip(factors, expected, strict=True) if c is not None
        )
        slopes = torch.autograd.grad(total, tensors, allow_unused=True, materialize_grads=True)

    def combined(values):
        outputs = jax.tree.leaves(function(values))
        return sum(jnp.vdot(c, x) for c, x in zip(factors, outputs, strict=True) if c is not None), outputs

    with jax.ensure_compile_time_eval():
        quick = jax.jit(jax.grad(combined, has_aux=True), compiler_options=_QUICKLY)
        found_slopes, found = quick(values)
    pairs = ("outputs", found, expected, _EQUAL[0]), ("gradients", found_slopes, slopes, _EQUAL[1])
    for name, ours, theirs, tolerance in pairs:
        theirs = [x.detach().numpy() for x in theirs]
        largest = max((abs(x).max() for x in theirs if x.size), default=0.0)
        errors = [abs(np.asarray(x, float) - y).max() for x, y in zip(ours, theirs, strict=True) if y.size]
        error = np.max(errors, initial=0.0)  # NaN if one is
        if not error <= tolerance * largest and not np.isnan(largest):
            raise RuntimeError(
                f"the {what} in JAX has other {name} than in PyTorch: they differ by {error:.1e}, and the largest is "
                f"{largest:.1e}. Either it hides a dependence, by torch.no_grad or a backward of its own that is not "
                "the derivative: leave that out. Or a rule in adapters.aten_rules is wrong: use "
                "adapters.torch_operators.operators"
            )


def _nearby(this, params):
    """Return the parameters with another one percent of each, but no row of an embedding that stands for padding."""
    moved = {name: _moved(value) for name, value in params.items()}
    for path, module in this.model.named_modules():
        if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
            name = f"{path}.weight".lstrip(".")
            if name in moved:
                moved[name][module.padding_idx] = params[name][module.padding_idx]
    return list(moved.values())


def _moved(x):
    if not np.issubdtype(x.dtype, np.floating):
        return x
    return x * (1 - 0.01 * np.random.default_rng(2).uniform(size=x.shape))


def _numpy(x):
    return torch_preparation.tensor(x).numpy()


def _array(x):
    """Return an array or a tensor as a JAX array, floating-point numbers in float64."""
    x = jnp.asarray(_numpy(x) if isinstance(x, torch.Tensor) else x)
    return jnp.asarray(x, float) if jnp.issubdtype(x.dtype, jnp.floating) else x


def _shapes(arrays):
    return tuple((x.shape, x.dtype.name) for x in arrays)


def _placeholder(shape, dtype):
    """Return a tensor of a shape: one half everywhere, which every function takes, or zeros."""
    return torch.full(shape, 0.5 if dtype.startswith("float") else 0, dtype=getattr(torch, dtype))
