"""The examples in the docstrings of the modules that a reader calls."""

import doctest
import importlib

import pytest

from tests.test_house import FILES, name_of

# Everything that is imported by name in a notebook's cell or in the README; the networks, by `architectures`.
CALLED = {
    "closed_forms.attention", "closed_forms.balanced_minima", "closed_forms.convolutional", "closed_forms.linear",
    "closed_forms.one_hidden_layer", "closed_forms.residual", "closed_forms.tied", "data", "dataloader",
    "exact.affordable", "exact.matrix_ranks", "exact.network_ranks", "experiments.layer_spectra", "experiments.setting",
    "experiments.sharpness", "figures.closed_form_curves", "figures.feature_maps", "figures.findings",
    "figures.network_drawings", "figures.orders", "figures.tables", "hessians", "initializers",
    "linear_networks.eigenvalues", "linear_networks.fewer_samples", "linear_networks.powers_of_two",
    "linear_networks.second_moments", "linear_networks.signs", "losses", "matrix_free.densities",
    "matrix_free.extremes", "matrix_free.operators", "matrix_free.probed_ranks", "matrix_free.traces",
    "networks.attention_heads", "networks.convolutions", "networks.perceptrons", "networks.residual_branches",
    "networks.transformers", "networks.weight_tying", "ranks",
}  # fmt: skip


@pytest.mark.parametrize("name", [name_of(path) for path in FILES if ">>>" in path.read_text()])
def test_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_module_that_a_reader_calls_has_an_example():
    assert {name_of(path) for path in FILES if ">>>" in path.read_text()} >= CALLED
