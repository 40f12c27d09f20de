import numpy as np
import pytest
from torch.utils.data import DataLoader

from dataloader import DatasetTorch, get_loader

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(25, 4)), RNG.normal(size=(25, 3))


def test_batches_are_the_rows_in_order_and_the_last_one_is_kept():
    batches = [(x.numpy(), y.numpy()) for x, y in DataLoader(DatasetTorch(INPUTS, LABELS), batch_size=10)]
    assert [len(x) for x, _ in batches] == [10, 10, 5]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), INPUTS)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), LABELS)
    assert all(part.dtype == np.float64 for batch in batches for part in batch)


def test_it_keeps_a_copy():
    inputs = INPUTS.copy()
    dataset = DatasetTorch(inputs, LABELS)
    inputs[:] = 0
    np.testing.assert_array_equal(dataset[:][0].numpy(), INPUTS)


def test_as_many_labels_as_inputs():
    with pytest.raises(ValueError, match="one label per input is needed, got 25 inputs and 24 labels"):
        DatasetTorch(INPUTS, LABELS[1:])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_values(bad):
    inputs = INPUTS.copy()
    inputs[3, 1] = bad
    with pytest.raises(ValueError, match=r"inputs must be finite, but 1 of 100 entries .* NaN or infinite"):
        DatasetTorch(inputs, LABELS)


@pytest.mark.parametrize(("bs", "sizes"), [(10, [10, 10, 5]), (np.int64(25), [25]), (10**9, [25]), (2**62, [25])])
def test_a_loader_has_batches_of_the_size_asked_for(bs, sizes):
    batches = list(get_loader(INPUTS, LABELS, bs))
    assert [len(x) for x, _ in batches] == sizes
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), LABELS)


@pytest.mark.parametrize(
    ("bs", "error", "message"),
    [
        ("10", TypeError, "bs must be an integer, got '10' of type str"),
        (10.0, TypeError, "bs must be an integer, got 10.0"),
        (True, TypeError, "bs must be an integer, got True"),
        (None, TypeError, "bs must be an integer, got None"),
        ([10], TypeError, r"bs must be an integer, got \[10\]"),
        (0, ValueError, "bs must be at least 1, got 0"),
        (-1, ValueError, "bs must be at least 1, got -1"),
        (10**20, ValueError, r"bs must be below 2\^63"),
    ],
    ids=repr,
)
def test_bad_batch_sizes(bs, error, message):
    with pytest.raises(error, match=message):
        get_loader(INPUTS, LABELS, bs)
