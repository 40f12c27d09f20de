"""notebooks/spectra.ipynb: the committed outputs, and a run with small parameters."""

import re

from tests.notebooks.headless import check_committed, path, run

BEFORE_AND_AFTER = [f"{name}, {when}" for name in ("convolutional", "transformer") for when in ("before", "after")]


def judged(text):
    """Return (p, steps, share inside of the band in percent, distance) of every estimate beside a known spectrum."""
    lines = re.findall(r"^p = +([\d,]+), +(\d+) steps: +([\d.]+)% inside, .* distance (\S+)$", text, re.M)
    return [(int(p.replace(",", "")), int(m), float(inside), float(far)) for p, m, inside, far in lines]


def row(text, start):
    """Return the rows of tables that begin with a text, without it. A bar that counts products is none."""
    return re.findall(rf"^{re.escape(start)} {{2,}}(?! *\d+ products)(.*)$", text, re.M)


def test_committed_outputs():
    printed = check_committed("spectra", pictures=5)
    found = judged(printed)
    assert len(found) == 6
    assert all(inside >= 90 for _, _, inside, _ in found)
    for p in {p for p, *_ in found}:
        distances = [far for size, _, _, far in found if size == p]
        assert distances[-1] < distances[0]
    assert printed.count("the bounds hold: yes") == 2
    for title in BEFORE_AND_AFTER:
        assert len(row(printed, title)) == 2 + 2 + 1  # both ends, drops of two matrices, sums
        assert [line.split()[0] for line in row(printed, title)[2:4]] == ["H_o", "H_L"]
        assert all(line.endswith("20 of 20") for line in row(printed, title)[:2])
    # What the text says is seen.
    (outer, *_) = (line.split() for line in row(printed, "convolutional, before")[2:])
    assert outer[5] == "9"  # where the largest drop is
    for title in BEFORE_AND_AFTER:
        second = row(printed, title)[2].split()[3:5]  # of H_o, behind K (K - 1) and K^2 eigenvalues
        assert all(1 <= float(drop) <= 1.1 for drop in second)
    low, high = map(float, re.search(r"in the second half: ([\d.]+) to ([\d.]+)", printed).groups())
    assert 0.9 < low <= high < 1.1


def test_a_small_run(tmp_path):
    settings = ["n_train=6", "classes=3", "side=4", "judged_widths=[3, 20]", "judged_probes=2", "judged_steps=[3, 9]"]
    settings += ["steps=5", "ends=3", "channels=[2, 2]", "kernel=2", "tokens_width=4", "heads=2", "depth=1"]
    settings += ["hidden=5", "updates=3", "layer_steps=3", "sharp_widths=[4]", "sharp_updates=20"]
    finished = run(path("spectra"), tmp_path, *settings, "dataset=gaussian", "rate=0.0001")
    assert finished.returncode == 0, finished.stderr
    assert [(p, m) for p, m, *_ in judged(finished.stdout)] == [(57, 3), (57, 9), (380, 3), (380, 9)]
    assert finished.stdout.count("the bounds hold: yes") == 2
    assert all(len(row(finished.stdout, title)) == 5 for title in BEFORE_AND_AFTER)
