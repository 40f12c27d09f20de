"""notebooks/exact_rank.ipynb: the committed outputs, and a run with a small survey."""

import re

from tests.notebooks.headless import check_committed, typed


def test_committed_outputs():
    text = check_committed("exact_rank", pictures=3)
    numerical, exact = zip(*re.findall(r"numerical rank (\d+), exact rank (\d+)", text), strict=True)
    assert all(int(a) <= int(b) for a, b in zip(numerical, exact, strict=True))
    for first in (0, 3):  # residues, balls: both examples are such that the threshold is wrong
        assert numerical[first : first + 3] != exact[first : first + 3]
    assert "with 300 digits: no pivot can be zero, and nothing else is left" in text
    assert "NO" not in text
    judged, right, low, high = map(int, re.search(r"^all +(\d+) +(\d+) +(\d+) +(\d+)$", text, flags=re.M).groups())
    assert judged == right + low + high
    assert judged == 3 * 360
    assert "no Hessian, a unit being on its kink: 0" in text
    grades = {
        name: counts for name, *counts in re.findall(r"^(proved|clear|open) +(\d+) +(\d+) +(\d+)$", text, flags=re.M)
    }
    assert sum(int(counts[0]) for counts in grades.values()) == judged
    assert int(grades["clear"][1]) > judged // 2
    assert grades["clear"][2] == "0"
    assert int(grades["open"][2]) == low + high
    beyond, wrong = re.search(r"wrong ranks with a gap of 1e\+03 or more: (\d+) of (\d+)", text).groups()
    assert 0 < int(beyond) < int(wrong) == low + high


def test_a_small_survey_offline(tmp_path):
    command = """make run NOTEBOOK=notebooks/exact_rank.ipynb datasets='["digits", "gaussian"]'"""
    finished = typed(command, tmp_path, "draws=1", "largest=45", "dim=9", "widths=[3, 4]", "classes=3", "seed=7")
    assert finished.returncode == 0, finished.stderr
    judged = [line.split(":")[0] for line in finished.stdout.splitlines() if "exact rank" in line]
    assert judged == 2 * ["H_f", "H_o", "H_L"]  # by residues, and by balls
