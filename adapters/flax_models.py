"""Networks of flax, linen and nnx, as functions of their parameters in float64.

    apply_fn, params = from_linen(module, variables, train=False)
    apply_fn, params = from_nnx(model)
    H_f, H_o, H_L = dense_hessians(get_loss("mse"), apply_fn, params, batches)

What is no parameter, such as the running means of batch normalization, is a constant of apply_fn. Layers compute in
float64, whatever their `dtype` says.
"""

import types

import jax
import jax.numpy as jnp

from adapters.float64_trees import constant, parameters

try:
    from flax import core, errors, linen, nnx
except ImportError as error:
    raise ImportError(
        "adapters.flax_models needs flax: pip install 'hessian-rank[flax]', or pip install flax"
    ) from error


def from_linen(module, variables, **options):
    """Return a flax.linen module as a function of its parameters, and these.

    Args:
        module: flax.linen.Module.
        variables: what `module.init` returned or training made of it: 'params', and perhaps 'batch_stats' and others.
        **options: of `module.apply` at every call, such as train=False or deterministic=True. They have to put the
            module into evaluation mode.

    Returns:
        apply_fn: F(params, inputs) -> outputs. Inputs that are a tuple are several arguments of the module. An array
            or a dict is one.
        params: nested dict of NumPy float64 arrays, the values of variables["params"].

    Raises:
        TypeError: for parameters that are not real floating-point numbers, or of several dtypes.
        ValueError: for variables without 'params', for random keys, and for collections that are to change. apply_fn
            raises it for a module in training mode.

    Example:
        >>> import jax, numpy as np
        >>> from flax import linen
        >>> from adapters.flax_models import from_linen
        >>> module = linen.Dense(2)
        >>> apply_fn, params = from_linen(module, module.init(jax.random.key(0), np.ones((1, 3), "float32")))
        >>> params["kernel"].shape, str(params["kernel"].dtype)
        ((3, 2), 'float64')
        >>> apply_fn(params, np.ones((5, 3))).shape
        (5, 2)
    """
    if not hasattr(variables, "keys") or "params" not in variables:
        found = f"a dict with {sorted(variables)}" if hasattr(variables, "keys") else type(variables).__name__
        raise ValueError(
            f"variables must be a dict with 'params', got {found}: pass all that module.init returned, or "
            "{'params': params} for a module without state"
        )
    for name in {"rngs", "mutable"} & set(options):
        raise ValueError(
            f"{name} must not be passed: it is for training mode, where outputs are random or depend on the batch. "
            "Put the module into evaluation mode, with its own option such as train=False or deterministic=True"
        )
    state = core.unfreeze(linen.meta.unbox(variables))
    params = parameters("params", state.pop("params"))
    state = jax.tree.map(constant, state)

    def apply_fn(params, inputs):
        arguments = inputs if isinstance(inputs, tuple) else (inputs,)
        try:
            with linen.intercept_methods(_call_in_float64):
                return module.apply({"params": params, **state}, *arguments, **options)
        except errors.ModifyScopeVariableError as error:
            raise ValueError(
                "the module is in training mode: it changes its state, as batch normalization does. A sample's outputs "
                "then depend on the other samples of its batch, so that there is no Hessian per sample. Pass to "
                "from_linen what puts it into evaluation mode, such as train=False or use_running_average=True"
            ) from error
        except errors.InvalidRngError as error:
            raise ValueError(
                "the module is in training mode: it asks for a random key, as dropout does. Its outputs are then "
                "random, so that there is no one Hessian. Pass to from_linen what puts it into evaluation mode, such "
                "as train=False or deterministic=True"
            ) from error

    return apply_fn, params


def from_nnx(model):
    """Return a flax.nnx model as a function of its parameters, and these. The model itself is not changed.

    Args:
        model: flax.nnx.Module in evaluation mode. Its parameters are the Variables of type nnx.Param. One that stands
            at two places, as tied weights do, is one parameter.

    Returns:
        apply_fn: F(params, inputs) -> outputs, as in `from_linen`.
        params: nested dict of NumPy float64 arrays. The keys are the names of attributes, and numbers in lists.

    Raises:
        TypeError: for parameters that are not real floating-point numbers, or of several dtypes.
        ValueError: for a model with a module in training mode.

    Example:
        >>> import numpy as np
        >>> from flax import nnx
        >>> from adapters.flax_models import from_nnx
        >>> apply_fn, params = from_nnx(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
        >>> sorted(params)
        ['bias', 'kernel']
        >>> apply_fn(params, np.ones((5, 3))).shape
        (5, 2)
    """
    for path, module in nnx.iter_modules(model):
        _check_evaluation_mode("model" + "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path), module)
    definition, variables, state = nnx.split(_in_float64(model), nnx.Param, ...)
    params = parameters("params", nnx.to_pure_dict(variables))
    state = jax.tree.map(constant, state)

    def apply_fn(params, inputs):
        # Variables are filled in place, so that every call needs its own.
        filled, own = (jax.tree.map(lambda leaf: leaf, tree) for tree in (variables, state))
        nnx.replace_by_pure_dict(filled, params)
        arguments = inputs if isinstance(inputs, tuple) else (inputs,)
        return nnx.merge(definition, filled, own)(*arguments)

    return apply_fn, params


def _call_in_float64(method, arguments, options, context):
    """Call a method of a linen module, which computes in float64 then. `apply` has made the module for this call."""
    inside = [value for value in vars(context.module).values() if isinstance(value, linen.Module)]
    for module in (context.module, *inside):  # not every method of a module inside, such as a cell, is intercepted
        for name in _narrow(module):
            object.__setattr__(module, name, jnp.float64)
    return method(*arguments, **options)


def _narrow(module):
    """Return which of a module's dtypes are floating, those of its arithmetic and of what it starts from.

    The dtype of an nnx embedding is float32 where nobody chose it, and recurrent layers start from float32.
    """
    dtypes = {name: getattr(module, name, None) for name in ("dtype", "param_dtype")}
    return [name for name, dtype in dtypes.items() if dtype is not None and jnp.issubdtype(dtype, jnp.floating)]


def _in_float64(model):
    """Return a copy of an nnx model whose layers compute in float64, whatever their `dtype` says."""
    model = nnx.clone(model)
    for _, module in nnx.iter_modules(model):
        for name in _narrow(module):
            setattr(module, name, jnp.float64)
        if getattr(module, "attention_fn", None) is nnx.dot_product_attention:
            module.attention_fn = _attention
    return model


def _attention(*arguments, **options):
    """Attend as flax does where the weights are recorded: elsewhere it calls JAX, whose softmax is in float32."""
    deaf = types.SimpleNamespace(sow=lambda *recorded: None)
    return nnx.dot_product_attention(*arguments, **{**options, "module": deaf})


def _check_evaluation_mode(place, module):
    """Raise ValueError if this module, not one inside it, is in training mode."""
    name = type(module).__name__
    rate = getattr(module, "rate", getattr(module, "dropout_rate", None))
    if getattr(module, "deterministic", None) is False and rate != 0:
        why = "random, so that there is no one Hessian"
    elif getattr(module, "use_running_average", None) is False:
        why = "dependent on the other samples of a batch or on earlier calls, so that there is no Hessian per sample"
    else:
        return
    raise ValueError(f"{place}, a {name}, is in training mode. It makes outputs {why}: call model.eval() first")
