"""A copy of a PyTorch model in float64 that can be differentiated, and what is refused for it."""

import contextlib
import copy
import math
from typing import NamedTuple

import jax
import numpy as np
import torch


class Prepared(NamedTuple):
    """A copy of a model, and what it takes besides its inputs."""

    model: object  # torch.nn.Module in float64, on the CPU
    names: list  # of the parameters with requires_grad; a tied one has one name
    parameters: list  # their tensors, detached
    constants: dict  # frozen parameters and buffers, by name
    stack: list  # its last entry names the module of the copy that runs at the moment


def prepared(model):
    """Return the Prepared copy of a model, which stays as it is.

    Raises:
        TypeError: for parameters that are complex, quantized, or of several dtypes.
        ValueError: for modules in training mode whose outputs are random or depend on the batch, and for a model
            without parameters to differentiate.
    """
    check_mode(model)
    _check_parameters(model)
    double = in_double(model)
    named = dict(double.named_parameters())
    names = [name for name, parameter in named.items() if parameter.requires_grad]
    if not names:
        raise ValueError(
            "the model has no parameter with requires_grad, so that there is no Hessian: set it for what is trained"
        )
    constants = {name: parameter.detach() for name, parameter in named.items() if name not in names}
    constants |= dict(double.named_buffers())
    stack = []
    for path, module in double.named_modules():
        name = f"{path} ({type(module).__name__})" if path else type(module).__name__
        module.register_forward_pre_hook(lambda *_, name=name: stack.append(name))
        module.register_forward_hook(lambda *_: stack.pop() and None)
    return Prepared(double, names, [named[name].detach() for name in names], constants, stack)


def call(this, parameters, arguments):
    """Return what a Prepared model returns for a list of parameters: a tuple of arguments, or a dict by keyword."""
    this.stack.clear()
    named = dict(zip(this.names, parameters, strict=True))
    constants = {name: tensor.clone() for name, tensor in this.constants.items()}
    args, kwargs = ((), arguments) if isinstance(arguments, dict) else (arguments, {})
    args = tuple(args) if isinstance(args, (tuple, list)) else (args,)
    return _plain(torch.func.functional_call(this.model, {**named, **constants}, args, kwargs))


def flattened(outputs):
    """Return the tensors of a tree of outputs as a list, and the structure of the tree.

    Raises:
        TypeError: for anything but tensors.
    """
    leaves, tree = jax.tree.flatten(outputs)
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise TypeError(
                f"a model must return a tensor, or a tuple, list or dict of tensors, got a {type(leaf).__name__} among "
                "its outputs: wrap the model in one that returns the tensors alone"
            )
    return leaves, tree


def _plain(tree):
    """Return outputs with plain tuples in place of PyTorch's own, such as that of the values and indices of max."""
    if isinstance(tree, dict):
        return type(tree)((key, _plain(value)) for key, value in tree.items())
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return (list if isinstance(tree, list) else tuple)(map(_plain, tree))
    return tree


def in_double(module):
    """Return a copy of a module in float64 on the CPU, tensors that are neither parameters nor buffers included."""
    double = copy.deepcopy(module).cpu().double()
    for each in double.modules():
        for name, value in list(vars(each).items()):
            if isinstance(value, torch.Tensor):
                setattr(each, name, tensor(value))
    return double


def tensor(x):
    """Return an array or a tensor as a tensor of its own on the CPU; floating-point numbers become float64."""
    x = x.detach().cpu() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x))
    return x.double() if x.is_floating_point() else x.clone()


@contextlib.contextmanager
def plain_float64():
    """Let PyTorch make new tensors in float64, and encoders of transformers take no path without derivatives."""
    dtype, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(torch.float64)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.backends.mha.set_fastpath_enabled(fast)


def check_mode(model):
    """Check that no module of a model has random outputs, or outputs that depend on the other samples of a batch.

    Raises:
        ValueError: if one does; the message names it.
    """
    for path, module in model.named_modules():
        name = f"{path} ({type(module).__name__})" if path else type(module).__name__
        if isinstance(module, torch.nn.modules.batchnorm._NormBase):
            is_instance = isinstance(module, torch.nn.modules.instancenorm._InstanceNorm)
            if not is_instance and module.running_mean is None:
                raise ValueError(
                    f"{name} keeps no running statistics, so that the outputs of a sample depend on the other samples "
                    "of its batch, and there is no Hessian per sample: take track_running_stats=True, and model.eval()"
                )
            if module.training and module.track_running_stats:
                raise ValueError(
                    f"{name} is in training mode, where the outputs of a sample depend on the other samples of its "
                    "batch, so that there is no Hessian per sample: call model.eval()"
                )
        if module.training and _dropout(module) > 0:
            raise ValueError(
                f"{name} is in training mode, where its dropout makes the outputs random, so that there is no one "
                "Hessian: call model.eval()"
            )


def _dropout(module):
    """Return the probability of dropout that a module holds itself."""
    if isinstance(module, torch.nn.modules.dropout._DropoutNd):
        return module.p
    if isinstance(module, torch.nn.RReLU):
        return math.inf  # its slopes are random
    dropout = getattr(module, "dropout", 0.0)  # of attention, and between the layers of recurrent networks
    return dropout if isinstance(dropout, float) else 0.0


def _check_parameters(model):
    seen = {}
    for name, parameter in model.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise ValueError(f"the parameter {name} has no shape yet: call the model once, on a batch")
        if parameter.is_quantized or parameter.is_complex():
            kind = "quantized" if parameter.is_quantized else "complex"
            raise TypeError(
                f"the parameter {name} is {kind} ({parameter.dtype}), and Hessians need real parameters: make them "
                "floating-point numbers, the real and the imaginary parts of complex ones apart"
            )
        if parameter.is_floating_point():
            seen.setdefault(parameter.dtype, name)
    if len(seen) > 1:
        (first, one), (second, other) = list(seen.items())[:2]
        raise TypeError(
            f"the parameters are of several dtypes: {one} is {first} and {other} is {second}. Make them one, with "
            "model.float() or model.double()"
        )
