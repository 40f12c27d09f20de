"""Networks of equinox as functions of their parameters in float64.

    apply_fn, params = from_equinox(eqx.nn.inference_mode(model))
    H_f, H_o, H_L = dense_hessians(get_loss("mse"), apply_fn, params, batches)

What is no parameter, such as the running means of batch normalization, is a constant of apply_fn.
"""

import jax

from adapters.float64_trees import constant, parameters

try:
    import equinox as eqx
except ImportError as error:
    raise ImportError(
        "adapters.equinox_models needs equinox: pip install 'hessian-rank[equinox]', or pip install equinox"
    ) from error


def from_equinox(model, state=None):
    """Return an equinox model as a function of its parameters, and these. The model itself is not changed.

    An equinox model takes one sample. apply_fn takes n of them, along the first axis of every array of the inputs.

    Args:
        model: equinox.Module in inference mode. Its parameters are its floating-point arrays. Those that
            `eqx.nn.Shared` ties are one parameter, but an array that only stands at two places is two, as in training.
        state: equinox.nn.State, for a model from `eqx.nn.make_with_state`. It stays as it is.

    Returns:
        apply_fn: F(params, inputs) -> outputs, both with n rows. Inputs that are a tuple are several arguments of the
            model. An array or a dict is one.
        params: the model with NumPy float64 arrays, and None for everything else. It is a pytree.

    Raises:
        TypeError: for parameters that are complex, or of several dtypes.
        ValueError: for a model with a module in training mode, or with state that was not passed.

    Example:
        >>> import equinox as eqx, jax, numpy as np
        >>> from adapters.equinox_models import from_equinox
        >>> apply_fn, params = from_equinox(eqx.nn.Linear(3, 2, key=jax.random.key(0)))
        >>> params.weight.shape, str(params.weight.dtype)
        ((2, 3), 'float64')
        >>> apply_fn(params, np.ones((5, 3))).shape
        (5, 2)
    """
    for place, module in _modules(model, "model"):
        _check_inference_mode(place, module)
        if state is None and isinstance(module, eqx.nn.StateIndex):
            raise ValueError(
                f"the model keeps a state at {place}, and none was passed: make it by model, state = "
                "eqx.nn.make_with_state(Model)(...), train it, and call from_equinox(model, state)"
            )
    # Otherwise the initial values of the state would be counted as parameters.
    model = eqx.nn.delete_init_state(model)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    params, state = parameters("model", params), jax.tree.map(constant, state)

    def apply_fn(params, inputs):
        network = eqx.combine(params, static)

        def of_one(inputs):
            arguments = inputs if isinstance(inputs, tuple) else (inputs,)
            if state is None:
                return network(*arguments)
            # A module that sets its state makes the old one unusable, so that every call needs its own.
            return network(*arguments, jax.tree.map(lambda leaf: leaf, state))[0]

        return jax.vmap(of_one)(inputs)

    return apply_fn, params


def _modules(node, place):
    """Yield each module of a tree with its place, the tree itself first."""
    if isinstance(node, eqx.Module):
        yield place, node
    inside = lambda value: isinstance(value, eqx.Module) and value is not node
    for path, leaf in jax.tree_util.tree_leaves_with_path(node, is_leaf=inside):
        if inside(leaf):
            yield from _modules(leaf, place + jax.tree_util.keystr(path))


def _check_inference_mode(place, module):
    """Raise ValueError if this module, not one inside it, is in training mode."""
    if getattr(module, "inference", None) is not False or getattr(module, "p", None) == 0:
        return
    if isinstance(module, eqx.nn.Dropout):
        why = "random, so that there is no one Hessian"
    else:
        why = "dependent on the other samples of a batch or on earlier calls, so that there is no Hessian per sample"
    raise ValueError(
        f"{place}, a {type(module).__name__}, is in training mode. It makes outputs {why}: pass "
        "eqx.nn.inference_mode(model) instead of the model"
    )
