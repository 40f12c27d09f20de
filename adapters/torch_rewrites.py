"""Functions of PyTorch that look at numbers, or hide what they do, in a form that can be traced."""

import math

import torch
import torch._decomp
from torch.overrides import TorchFunctionMode


class Rewritten(TorchFunctionMode):
    """Replaces functions of PyTorch that look at numbers by the same without a look, or refuses them."""

    def __init__(self, is_tracked):
        super().__init__()
        self.is_tracked = is_tracked  # of tensors that are not constant

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call the function, or what stands for it."""
        # What `functionalize` wraps holds no numbers of its own: what is read from it is whatever was there.
        if func in _READERS and (self.is_tracked(args[0]) or torch._C._functorch.is_functionaltensor(args[0])):
            raise ValueError(
                f"the model takes numbers out of PyTorch, by {func.__name__}, where they would become constants: "
                "compute with tensors throughout"
            )
        return _REWRITTEN.get(func, func)(*args, **(kwargs or {}))


def _one_hot(tensor, num_classes=-1):
    if num_classes < 1:
        raise ValueError("one_hot looks for the largest class of the batch: pass num_classes")
    return (tensor.unsqueeze(-1) == torch.arange(num_classes)).to(torch.int64)


def _gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    variance = var if isinstance(var, torch.Tensor) else torch.full_like(input, var)
    if variance.shape == input.shape[:-1]:
        variance = variance.unsqueeze(-1)
    variance = torch.where(variance < eps, eps, variance)
    loss = 0.5 * (torch.log(variance) + (input - target) ** 2 / variance)
    loss = loss + 0.5 * math.log(2 * math.pi) if full else loss
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction](loss)


def _pad(input, pad, mode="constant", value=None):
    if mode != "circular":
        return torch.nn.functional.pad(input, pad, mode, value)
    for axis, (low, high) in enumerate(zip(pad[0::2], pad[1::2], strict=True), start=1):
        length = input.shape[-axis]
        input = input.index_select(input.ndim - axis, torch.arange(-low, length + high) % length)
    return input


def _recurrent(name):
    """Return PyTorch's decomposition of a recurrent network, for tensors or for packed sequences."""
    packet = getattr(torch.ops.aten, name)

    def function(*args):
        overload = packet.input if isinstance(args[-1], bool) else packet.data
        return torch._decomp.global_decomposition_table["post_autograd"][overload](*args)

    return function


_READERS = {torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__, torch.Tensor.__dlpack__}
_REWRITTEN = {
    torch.Tensor.data.__get__: torch.detach_copy,
    torch.Tensor.detach: torch.detach_copy,
    torch.detach: torch.detach_copy,
    torch._VF.lstm: _recurrent("lstm"),
    torch._VF.gru: _recurrent("gru"),
    torch._VF.rnn_tanh: _recurrent("rnn_tanh"),
    torch._VF.rnn_relu: _recurrent("rnn_relu"),
    torch.nn.functional.one_hot: _one_hot,
    torch.nn.functional.pad: _pad,
    torch.nn.functional.gaussian_nll_loss: _gaussian_nll_loss,
}
