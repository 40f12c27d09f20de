"""A function of PyTorch tensors as a list of ATen operations, and the list carried out by JAX.

The function runs once, on tensors of the wanted shapes. Whatever is computed from tracked tensors is written down. All
else is a constant. In-place operations and views become plain ones (`torch.func.functionalize`). An operation with a
rule is kept, one without is taken apart by PyTorch's own decompositions.
"""

from typing import NamedTuple

import jax
import numpy as np
import torch
import torch._decomp
from torch.utils._python_dispatch import TorchDispatchMode

from adapters.aten_rules import RULES, Like
from adapters.torch_preparation import flattened
from adapters.torch_rewrites import Rewritten


class Slot(NamedTuple):
    """The place of a tracked tensor among all: first the arguments, then the results of the steps."""

    place: int


class Step(NamedTuple):
    """One operation: its rule in `aten_rules.RULES`, what it takes, the places of its results, and where it stands."""

    name: str
    arguments: list  # of Slots, NumPy arrays, numbers, and lists of these
    options: dict
    results: list  # of places
    like: list  # of `aten_rules.Like`, one for each result
    module: str


class Program(NamedTuple):
    """The steps that the outputs need, in order, and the outputs: Slots and NumPy arrays in a tree."""

    steps: list
    outputs: object


def traced(function, tensors, parameters, stack):
    """Return the Program of a function of tensors.

    Args:
        function: takes the list of tensors, and returns a tree of tensors as JAX knows trees.
        tensors: what is tracked.
        parameters: how many of the first tensors are parameters, of which no dependence may be hidden.
        stack: list whose last entry names the module that runs at the moment, for messages.

    Raises:
        NotImplementedError: for an operation without a rule; the message names it.
        ValueError: for random parts, decisions by numbers, a dependence on parameters that is hidden, and precision
            below float64.
    """
    structure = []

    def flat(tensors):
        leaves, tree = flattened(function(tensors))
        structure.append(tree)
        return leaves

    try:
        recorder, leaves = _recorded(flat, tensors, stack, False)
    except _InPlaceError:
        recorder, leaves = _recorded(torch.func.functionalize(flat), tensors, stack, True)
    outputs = [recorder.reference(leaf) for leaf in leaves]
    steps = _needed(recorder.steps, outputs)
    _check(steps, len(tensors), parameters)
    constant = lambda step: step._replace(
        arguments=_mapped(_numpy, step.arguments), options={k: _mapped(_numpy, v) for k, v in step.options.items()}
    )
    return Program([constant(step) for step in steps], jax.tree.unflatten(structure[-1], map(_numpy, outputs)))


def carried_out(program, arrays):
    """Return the outputs of a program for JAX arrays in the place of the tracked tensors."""
    known = dict(enumerate(arrays))

    def read(x):
        if isinstance(x, Slot) and known.get(x.place) is None:
            raise NotImplementedError(
                "only the first result of a pooling, a normalization or an attention has a translation into JAX, not "
                "its indices or statistics: write the model without them, or use adapters.torch_operators.operators"
            )
        return known[x.place] if isinstance(x, Slot) else x

    for step in program.steps:
        options = {key: _mapped(read, value) for key, value in step.options.items()}
        results = RULES[step.name](step.like[0], *_mapped(read, step.arguments), **options)
        known.update(zip(step.results, results if isinstance(results, (list, tuple)) else [results], strict=False))
    return jax.tree.map(read, program.outputs, is_leaf=lambda x: isinstance(x, Slot))


def _recorded(function, tensors, stack, functional):
    recorder = _Recorder(tensors, stack, functional)
    with recorder, Rewritten(lambda x: isinstance(recorder.reference(x), Slot)):
        return recorder, function(tensors)


class _InPlaceError(Exception):
    """An operation changes numbers in place, which takes `functionalize`."""


class _Recorder(TorchDispatchMode):
    """Writes down all operations on tracked tensors."""

    def __init__(self, tensors, stack, functional):
        super().__init__()
        self.kept = list(tensors)  # alive, so that no id is given twice
        self.slots = {id(tensor): Slot(place) for place, tensor in enumerate(tensors)}
        self.steps, self.stack, self.functional = [], stack, functional

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # PyTorch would import its compiler, which takes two seconds

    def reference(self, x):
        slot = self.slots.get(id(x), x) if isinstance(x, torch.Tensor) else x
        if slot is None and x is not None:
            raise NotImplementedError(
                "a view of numbers is read after they were changed in place: write this without changes in place"
            )
        return slot

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        where = self.stack[-1] if self.stack else "the function"
        if torch.Tag.nondeterministic_seeded in func.tags and not _is_still(func, args):
            raise ValueError(
                f"the operation {func} in {where} draws random numbers, so that there is no Hessian: switch dropout "
                "and its like off, or draw the numbers once and keep them as a buffer"
            )
        arguments, options = _mapped(self.reference, args), {k: _mapped(self.reference, v) for k, v in kwargs.items()}
        if not any(_slots(arguments)) and not any(_slots(list(options.values()))):
            return func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if name.endswith("_") and func._schema.is_mutable and not self.functional:
            raise _InPlaceError
        if name == "copy_" and not args[0]._is_view():  # the new state of a buffer, which this call does not read
            return args[0]
        if name == "as_strided_" and _is_same(*args[:3]):
            return args[0]
        if func._schema.is_mutable and name.endswith("_"):
            return self.in_place(func, args, kwargs, where)
        if not func._schema.returns:  # it only looks for errors, at numbers that do not matter
            return None
        if name == "embedding" and len(args) > 2 and args[2] >= 0:
            fixed = args[0].detach().clone()  # PyTorch lets the row of the padding have no gradient: it is a constant
            with self:
                return torch.ops.aten.embedding(_with_row(args[0], fixed, args[2]), args[1])
        name = next((key for key in (f"{name}.{func._schema.overload_name}", name) if key in RULES), None)
        if name is None:
            return self.taken_apart(func, args, kwargs, where)
        results = func(*args, **kwargs)
        listed = list(results) if isinstance(results, (list, tuple)) else [results]
        places = [self.place(result) for result in listed]
        like = [Like(tuple(x.shape), _dtype(x.dtype)) for x in listed]
        self.steps.append(Step(name, arguments, options, places, like, f"{func} in {where}"))
        return results

    def in_place(self, func, args, kwargs, where):
        """Carry out an operation such as add_, which PyTorch's own layers use inside, as add."""
        changed, packet = args[0], getattr(torch.ops.aten, func._schema.name.removeprefix("aten::").rstrip("_"), None)
        if func._overloadname not in getattr(packet, "overloads", list)() or id(changed) not in self.slots:
            raise NotImplementedError(
                f"the ATen operation {func} in {where} changes numbers in place, and has no translation into JAX: "
                "write that part without changes in place"
            )
        others = [x for x in self.kept if x is not changed and _overlap(x, changed)]
        with self:
            result = getattr(packet, func._overloadname)(*args, **kwargs)
        func(*args, **kwargs)
        self.slots[id(changed)] = self.slots[id(result)]
        self.slots |= dict.fromkeys(map(id, others))  # reading them is an error
        return changed

    def place(self, tensor):
        self.kept.append(tensor)
        slot = Slot(len(self.kept) - 1)
        self.slots[id(tensor)] = slot
        return slot.place

    def taken_apart(self, func, args, kwargs, where):
        decomposition = torch._decomp.global_decomposition_table["post_autograd"].get(func)
        with self:
            results = NotImplemented
            if decomposition:
                results = decomposition(*args, **kwargs)
            elif not func._schema.is_mutable:
                results = func.decompose(*args, **kwargs)
        if results is not NotImplemented:
            return results
        if func._schema.name in ("aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal"):
            raise ValueError(
                f"{where} turns numbers that it computes from its parameters or inputs into Python numbers, as .item() "
                "and if do, so that it is no one function: use torch.where, or decide by shapes alone"
            )
        raise NotImplementedError(
            f"the ATen operation {func} in {where} has no translation into JAX: write that part with operations that "
            "have one (adapters.aten_rules lists them), or use adapters.torch_operators.operators, which multiplies by "
            "the Hessians in PyTorch; ranks from products alone are always open"
        )


def _is_still(func, args):
    """Return whether it is an attention without dropout or its like, which is called random all the same."""
    place = {"aten::_scaled_dot_product_flash_attention_for_cpu": 3, "aten::rrelu_with_noise": 4}.get(func._schema.name)
    return place is not None and not (len(args) > place and args[place])


def _is_same(x, size, stride):
    """Return whether strides of this size give the tensor itself."""
    sizes = zip(size, stride, x.stride(), strict=False)
    return list(size) == list(x.shape) and all(new == old for count, new, old in sizes if count > 1)


def _overlap(a, b):
    """Return whether two tensors share some of their numbers."""
    if a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr():
        return False
    places = torch.arange(a.untyped_storage().nbytes() // min(a.element_size(), b.element_size()))
    first, second = (places.as_strided(x.shape, x.stride(), x.storage_offset()).flatten() for x in (a, b))
    return bool(torch.isin(first, second).any())


def _with_row(weight, fixed, row):
    is_row = torch.arange(len(weight)).unsqueeze(1) == row
    return torch.where(is_row, fixed, weight)


def _needed(steps, outputs):
    """Return the steps that the outputs depend on."""
    wanted, kept = {slot.place for slot in outputs if isinstance(slot, Slot)}, []
    for step in reversed(steps):
        if wanted & set(step.results):
            wanted |= {slot.place for slot in _slots([step.arguments, *step.options.values()])}
            kept.append(step)
    return kept[::-1]


def _check(steps, tensors, parameters):
    """Check that no step loses digits, and that none hides a dependence on the parameters."""
    dependent = set(range(parameters))
    for step in steps:
        for like in step.like:
            if np.issubdtype(like.dtype, np.inexact) and like.dtype != np.float64:
                raise ValueError(
                    f"the operation {step.module} computes in {like.dtype}, and ranks need float64 throughout: write "
                    "x.to(self.weight.dtype) or x.double() instead of x.float()"
                )
        if any(slot.place in dependent for slot in _slots([step.arguments, *step.options.values()])):
            dependent |= set(step.results)
            if step.name == "detach_copy":
                raise ValueError(
                    f"the operation {step.module} detaches numbers that depend on the parameters, which hides a "
                    "dependence: derivatives would not be those of the function. Pass what is to stay fixed as a "
                    "buffer, or set requires_grad of these parameters to False"
                )


def _mapped(function, x):
    if isinstance(x, (list, tuple)) and not isinstance(x, (Slot, torch.Size)):
        return [_mapped(function, entry) for entry in x]
    return function(x)


def _slots(x):
    """Yield the Slots in lists of lists."""
    if isinstance(x, Slot):
        yield x
    elif isinstance(x, (list, tuple)):
        for entry in x:
            yield from _slots(entry)


def _numpy(x):
    """Return a constant tensor as a NumPy array, numbers with all the digits that it has."""
    if not isinstance(x, torch.Tensor):
        return x
    array = x.detach().cpu().numpy().copy()
    return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array


def _dtype(dtype):
    return np.dtype(str(dtype).removeprefix("torch.")) if dtype != torch.bfloat16 else np.dtype(np.float16)
