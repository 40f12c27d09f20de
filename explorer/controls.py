"""The sliders, and what they say: one control for every number and name of a choice."""

import ipywidgets as widgets

from explorer.choices import DEPTHS, FIRST, KINDS, LIMITS, WIDTHS, Choice, activations, largest_rank, nearest

_LABELS = {
    "kind": "network",
    "depth": "depth",
    "inputs": "inputs d",
    "outputs": "outputs K",
    "data_rank": "data rank r",
    "samples": "samples n",
    "loss": "loss",
    "bias": "bias",
    "activation": "activation",
    "block_width": "block width m",
    "heads": "heads h",
    "tokens": "tokens t",
    "length": "positions",
    "kernel": "kernel, taps",
}
_WIDTH_LABELS = {
    "fully connected": ["width m₁", "width m₂", "width m₃", "width m₄"],
    "residual": ["branch h₁", "branch h₂", "branch h₃", "branch h₄"],
    "attention": ["keys d_k", "values d_v"],
    "convolutional": ["channels c₁", "channels c₂", "channels c₃", "channels c₄"],
}
ONLY = {
    "bias": ("fully connected",),
    "block_width": ("residual",),
    "heads": ("attention",),
    "tokens": ("attention",),
    "length": ("convolutional",),
    "kernel": ("convolutional",),
    "depth": ("fully connected", "residual", "convolutional"),
}
LOSS_NAMES = {"squared": "mse", "cross-entropy": "cross", "log-cosh": "cosh"}


def build():
    """Return {name: control} of a choice's fields; 'depth' and 'width_1' to 'width_4' take the place of its widths."""
    made = {"kind": _menu("kind", KINDS), "depth": _slider("depth", DEPTHS)}
    made |= {f"width_{i}": _slider(f"width_{i}", WIDTHS) for i in range(1, DEPTHS[1] + 1)}
    made |= {name: _slider(name, limits) for name, limits in LIMITS.items()}
    made["loss"] = _menu("loss", LOSS_NAMES.items())
    made["activation"] = _menu("activation", activations("fully connected"))
    made["bias"] = widgets.Checkbox(False, description="biases", style=_STYLE, layout=_layout())
    for name, control in made.items():
        control.add_class(f"explorer-{name.replace('_', '-')}")
    return made


def each(sliders):
    """Return all controls."""
    return list(sliders.values())


def rows(sliders):
    """Return the controls in the order of the page."""
    widths = [f"width_{i}" for i in range(1, DEPTHS[1] + 1)]
    order = ["kind", "depth", *widths, "block_width", "heads", "tokens", "length", "kernel", "inputs", "outputs"]
    return [sliders[name] for name in [*order, "data_rank", "samples", "loss", "bias", "activation"]]


def read(sliders, before):
    """Return what the controls say, fitted. Another kind of network begins with numbers of its own.

    A rank r that was the largest possible stays the largest possible.

    Args:
        sliders: {name: control}.
        before: what they said before, or None.
    """
    value = {name: control.value for name, control in sliders.items()}
    if before is not None and value["kind"] != before.kind:
        return nearest(FIRST[value["kind"]])
    widths = tuple(value[f"width_{i}"] for i in range(1, value["depth"] + 1))
    choice = Choice(widths=widths, **{name: value[name] for name in Choice._fields if name in value})
    if before is not None and before.data_rank == largest_rank(before) and value["data_rank"] == before.data_rank:
        choice = choice._replace(data_rank=LIMITS["data_rank"][1])
    return nearest(choice)


def write(sliders, choice):
    """Set the controls to a fitted choice, with the limits that it leaves, and hide what its kind does not have."""
    kind, depth = choice.kind, len(choice.widths)
    if sliders["activation"].options != activations(kind):
        sliders["activation"].options = activations(kind)
    sliders["outputs"].min = 2 if choice.loss == "cross" else LIMITS["outputs"][0]
    largest = largest_rank(choice)
    sliders["data_rank"].max = max(min(largest, LIMITS["data_rank"][1]), LIMITS["data_rank"][0])
    for name, control in sliders.items():
        if name.startswith("width_"):
            place = int(name[-1])
            if place <= depth:
                control.value = choice.widths[place - 1]
                control.description = _WIDTH_LABELS[kind][place - 1]
            _show(control, place <= depth)
        elif name == "depth":
            control.value = depth
            control.description = {"fully connected": "hidden layers", "residual": "blocks"}.get(kind, "layers")
            _show(control, kind in ONLY["depth"])
        else:
            control.value = getattr(choice, name)
            _show(control, kind in ONLY.get(name, KINDS))
    sliders["inputs"].description = {"attention": "token size d", "convolutional": "channels c₀"}.get(kind, "inputs d")


def _show(control, visible):
    control.layout.display = None if visible else "none"


def _slider(name, limits):
    low, high = limits
    return widgets.IntSlider(low, low, high, description=_LABELS.get(name, name), style=_STYLE, layout=_layout())


def _menu(name, options):
    return widgets.Dropdown(options=tuple(options), description=_LABELS[name], style=_STYLE, layout=_layout())


def _layout():
    return widgets.Layout(width="250px")


_STYLE = {"description_width": "92px"}
