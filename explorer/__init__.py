"""Sliders for one network: its closed forms at once, its measured and its exact ranks when asked.

`explore` shows them in a notebook. `Choice` is what the sliders say, and `problem` is its network with its loss and its
data. `forms` are the closed forms of a choice with its numbers in them.
"""

from explorer.choices import Choice, nearest, problem
from explorer.formulas import Forms, forms
from explorer.panel import explore

__all__ = ["Choice", "Forms", "explore", "forms", "nearest", "problem"]
