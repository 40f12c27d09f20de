import flint
import numpy as np
import pytest

from closed_forms.known import known
from counting import NumericalRank
from exact import ExactRank
from experiments.sweeps import Point
from figures import certificate_table, exact_table, rank_list, rank_table, spread_table, summary
from hessians import HessianTriple
from ranks import numerical_rank, singular_rank


def clear(rank, size=5):
    return numerical_rank(np.diag([1.0] * rank + [0.0] * (size - rank)))._replace(grade="clear", reason="")


SURE = HessianTriple(clear(2), clear(3), clear(4))
FORMS = HessianTriple(2, 3, 4)
OPEN = NumericalRank(2, 4.5e6, 1e-15, np.array([1.0, 1e-9, 0.0]), "open", "it may be 3")
DATA = singular_rank(np.diag([2.0, 1.0, 0.0]))


def test_table():
    header, _, *rows = rank_table(SURE, HessianTriple(2, 3, 5), heading="linear network").splitlines()
    assert "linear network" in header
    assert [row.split()[-5:-2] for row in rows] == [["2", "2", "yes"], ["3", "3", "yes"], ["4", "5", "no"]]
    assert all(row.endswith("4.5e+15    clear") for row in rows)
    assert len({len(line) for line in (header, *rows)}) == 1


def test_bounds_are_marked_and_may_lie_above():
    """An equality is right or wrong; a bound may be reached, or lie above, but a rank beyond it refutes it."""
    form = known(3, 3, 3, equal=(False, True, False))
    header, _, *rows = rank_table(SURE, form).splitlines()
    assert [row.split()[-5:-2] for row in rows] == [["<=", "3", "below"], ["3", "3", "yes"], ["<=", "3", "no"]]
    reached = rank_table(SURE, known(2, 3, 4, equal=False)).splitlines()[2:]
    assert [row.split()[-3] for row in reached] == ["yes"] * 3
    assert len({len(line) for line in (header, *rows)}) == 1


def test_table_says_why_ranks_are_open():
    measured = SURE._replace(functional=OPEN, outer=OPEN)
    _, _, *rows, note = rank_table(measured, HessianTriple(2, 2, 2)).splitlines()
    assert [row.split()[-1] for row in rows] == ["open", "open", "clear"]
    assert note == "H_f and H_o are open: it may be 3"
    other = measured._replace(loss=OPEN._replace(reason="another one"))
    assert rank_table(other, HessianTriple(2, 2, 2)).splitlines()[-1] == "H_L is open: another one"


def test_exact_ranks_stand_beside_and_decide():
    """The exact rank is compared with the closed form, and proves the row. Without any, nothing is said of them."""
    measured = SURE._replace(loss=OPEN)
    exact = HessianTriple(*(ExactRank(rank) for rank in (2, 3, 5)))
    header, _, *rows = rank_table(measured, HessianTriple(2, 3, 5), data_rank=DATA, exact=exact).splitlines()
    assert "measured rank   exact rank     closed form" in header
    assert [row.split()[-6:] for row in rows[1:]] == [
        ["2", "2", "2", "yes", "4.5e+15", "proved"],
        ["3", "3", "3", "yes", "4.5e+15", "proved"],
        ["2", "5", "5", "yes", "4.5e+06", "proved"],
    ]
    assert len({len(line) for line in (header, *rows)}) == 1
    confirmed = rank_table(measured, HessianTriple(2, 3, 5), data_rank=DATA, exact_data_rank=2, exact=exact)
    assert confirmed.splitlines()[2].split() == ["data", "r", "2", "2", "2.3e+15", "proved"]


def test_ranks_line_by_line():
    lines = rank_list(HessianTriple(SURE.functional, OPEN, None), data_rank=SURE.functional).splitlines()
    *lines, note = lines
    assert len({line.index(" = ") for line in lines}) == 1
    assert [line.split(" = ")[0] for line in lines] == ["rank(X), r    ", "rank(H_f)     ", "rank(H_o)     "]
    assert [line.split()[-1] for line in lines] == ["clear", "clear", "open"]
    assert [int(line.split(" gap")[0].split()[-1]) for line in lines] == [2, 2, 2]
    assert note == "H_o is open: it may be 3"


def test_exact_ranks_and_certificates():
    measured = HessianTriple(*(numerical_rank(np.diag([1.0] * rank)) for rank in (3, 4, 5)))
    exact = HessianTriple(*(ExactRank(rank, (7, 11), (rank, rank)) for rank in (3, 5, 5)))
    outer = exact_table(measured, exact).splitlines()[1]
    assert outer == "H_o: numerical rank 4, exact rank 5, modulo the primes (7, 11)"
    bound = HessianTriple(24, 21, 36)
    rows = certificate_table({"7-4-3": (bound, bound), "other": (bound, HessianTriple(24, 20, 36))}).splitlines()[2:]
    assert [row.split()[-1] for row in rows] == ["yes", "NO"]


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (212.4, "with 300 digits: all that is left is 10^212 times smaller than a pivot"),
        (np.inf, "with 300 digits: no pivot can be zero, and nothing else is left"),
    ],
)
def test_exact_table_of_balls(gap, words):
    """Ranks that were found in balls say with how many digits, and how far the rest lies below."""
    exact = HessianTriple(*(ExactRank(rank, digits=300, gap=gap) for rank in (3, 5, 6)))
    assert exact_table(SURE, exact).splitlines()[1] == f"H_o: numerical rank 3, exact rank 5, {words}"


def test_the_spread_over_seeds():
    ranks = lambda low: HessianTriple(*(NumericalRank(low + i, 10.0**low, 0.0, np.empty(0)) for i in range(3)))
    row = [Point("relu", seed, 50, 4, ranks(low), HessianTriple(9, 9, 9)) for seed, low in ((1, 2), (2, 5))]
    _, _, relu, closed = spread_table([row], "activation").splitlines()
    assert relu.split("   ")[0].strip() == "relu"
    assert [cell.strip() for cell in relu.split("   ") if "to" in cell] == ["2 to 5", "3 to 6", "4 to 7"]
    assert relu.split()[-2:] == ["50", "1e+02"]
    assert closed.split()[-3:] == ["9", "9", "9"]


DOUBTFUL = singular_rank(np.diag([1.0, 1e-14, 0.0]))  # rank 2, gap 45


def test_the_rank_of_the_data_has_a_row_of_its_own():
    data = singular_rank(np.diag([2.0, 1.0, 0.0]))
    header, rule, row, *rows = rank_table(SURE, FORMS, data_rank=data).splitlines()
    assert row == "data                  r               2                             2.3e+15    clear"
    assert len({len(line) for line in (header, rule, row, *rows)}) == 1
    assert "  H_" not in row  # by which the rows of the matrices are found
    assert row.index(" r ") + 1 == rows[0].index("H_f") + 2
    assert rank_table(SURE, FORMS).splitlines() == [header, rule, *rows]


def test_a_doubtful_rank_of_the_data_is_marked_and_explained():
    _, _, row, *rows, note, more = rank_table(SURE, FORMS, data_rank=DOUBTFUL).splitlines()
    assert row.endswith("     4.5e+01     open")
    assert all(line.endswith("clear") for line in rows)
    assert note == "r is open: the gap 5e+01 is below 1e+03; exact.exact_rank settles it"
    assert more == "   So the closed forms rest on an uncertain r."
    confirmed = rank_table(SURE, FORMS, data_rank=DOUBTFUL, exact_data_rank=2).splitlines()
    assert confirmed[2].endswith("     4.5e+01   proved")
    assert len(confirmed) == 6


def test_an_open_hessian_says_nothing_about_the_data():
    lines = rank_table(SURE._replace(outer=OPEN), FORMS, data_rank=SURE.loss, exact_data_rank=4).splitlines()
    assert [line.split()[-1] for line in lines[2:6]] == ["proved", "clear", "open", "clear"]
    assert lines[6:] == ["H_o is open: it may be 3"]


def test_inputs_that_rounding_has_made_independent():
    """The third column is twice the first, but for rounding in every one of its entries."""
    X = np.random.default_rng(0).random((9, 3))
    X[:, 2] = 2 * X[:, 0] * (1 + 1e-16 * np.arange(9))
    found = singular_rank(X)
    assert (found.rank, found.gap > 1e14, found.grade) == (2, True, "open")
    assert flint.fmpz_mat([[int(x * 2**110) for x in row] for row in X]).rank() == 3
    lines = rank_table(SURE, FORMS, data_rank=found, exact_data_rank=3).splitlines()
    size = found.spectrum[2] / found.spectrum[0]
    assert size < 1e-15
    assert lines[-3:] == [
        "r: the stored inputs have rank 3 in exact arithmetic, 1 more.",
        f"   The singular values beyond the first 2 are at most {size:.0e} of the largest: they can be rounding alone.",
        "   Exact ranks of the Hessians rest on r = 3.",
    ]


def test_exact_ranks_beside_inputs_that_rounding_has_made_independent():
    found = singular_rank(np.array([[0.1 + 0.2, 0.3], [1.0, 1.0]]))
    exact = HessianTriple(*(ExactRank(each.rank, (7,), (each.rank,)) for each in SURE))
    without = exact_table(SURE, exact)
    assert exact_table(SURE, exact, found, 1) == without  # nothing to say
    assert exact_table(SURE, exact, found, 2).startswith(without + "\nr: the stored inputs have rank 2 in exact")
    assert exact_table(SURE, exact, found, 2).endswith("Exact ranks of the Hessians rest on r = 2.")


def test_inputs_with_fewer_exact_dimensions_than_counted():
    """Singular values that are rounding errors of zeros have been counted."""
    found = singular_rank(np.diag([1.0, 0.5, 4e-15]))
    assert found.rank == 3
    lines = rank_table(SURE, FORMS, data_rank=found, exact_data_rank=2).splitlines()[-3:]
    assert lines == [
        "r: the stored inputs have rank 2 in exact arithmetic, 1 less.",
        "   Rounding has been counted: the last of 3 is 4e-15 of the largest.",
        "   Exact ranks of the Hessians rest on r = 2.",
    ]


def test_an_exact_rank_of_computed_zeros():
    lines = rank_table(SURE, FORMS, data_rank=singular_rank(np.zeros((3, 2))), exact_data_rank=1).splitlines()
    assert lines[2].endswith("         inf   proved")
    assert lines[-2] == "   The singular values are 0: they can be rounding alone."
    lines = rank_table(SURE, FORMS, data_rank=singular_rank(np.diag([1.0, 0.0])), exact_data_rank=2).splitlines()
    assert lines[-2] == "   The singular values beyond the first 1 are 0: they can be rounding alone."


def test_bad_exact_ranks_of_the_data():
    with pytest.raises(ValueError, match="pass data_rank too"):
        rank_table(SURE, FORMS, exact_data_rank=3)
    with pytest.raises(ValueError, match="exact_data_rank is 4, but data_rank has 3 singular values"):
        rank_table(SURE, FORMS, data_rank=DOUBTFUL, exact_data_rank=4)
    with pytest.raises(ValueError, match="exact_data_rank must be at least 0, got -1"):
        rank_table(SURE, FORMS, data_rank=DOUBTFUL, exact_data_rank=-1)
    with pytest.raises(TypeError, match="exact_data_rank must be an integer"):
        rank_table(SURE, FORMS, data_rank=DOUBTFUL, exact_data_rank=2.0)


def test_a_long_heading_widens_its_column():
    header, rule, *rows = rank_table(SURE, FORMS, "closed form at a minimum", data_rank=SURE.loss).splitlines()
    assert "rank   closed form at a minimum   equal" in header
    assert len({len(line) for line in (header, rule, *rows)}) == 1


ZERO = clear(0, 3)


def test_infinite_gaps_stand_in_their_columns():
    measured = HessianTriple(ZERO, SURE.outer, ZERO)
    lines = rank_table(measured, HessianTriple(0, 3, 0), data_rank=SURE.loss).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[-2] for line in lines[3:]] == ["inf", "4.5e+15", "inf"]
    lines = rank_list(measured, data_rank=SURE.loss).splitlines()
    assert [line.split(" gap ")[1].split()[0] for line in lines] == ["5e+15", "inf", "5e+15", "inf"]
    assert len({line.index("   clear") for line in lines}) == 1


def test_sweeps_of_zero_matrices():
    row = [Point("relu", 1, 9, 4, HessianTriple(*[ZERO] * 3), HessianTriple(0, 0, 1))]
    header, rule, relu, _ = spread_table([row], "activation").splitlines()
    assert len(header) == len(rule) == len(relu)
    assert relu.split() == ["relu", "0", "0", "0", "9", "inf"]
    said = "2 of 3 ranks are the closed forms, smallest gap inf, spread over 1 seed at most 0"
    assert summary([row]) == said
