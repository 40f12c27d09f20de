"""The explorer in a browser at random choices: is what it shows right, and how soon is it there?

    python -m benchmarks.notebooks.random_choices [--choices 20] [--seed 0]

Every control is moved as a reader moves it. The closed forms on the page have to equal `closed_forms`, the measured
ranks those of `dense_ranks`, and the browser's console must stay empty. Choices of 250 to 350 parameters are measured
twice, and the second time counts: it compiles nothing. The exit status is 1 if anything failed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from explorer import forms, problem
from explorer.choices import parameters
from ranks import dense_ranks
from tests.browsing import open_page
from tests.conftest import ROOT
from tests.oracles import explorer_page as reader


def main():
    """Print a line for each choice, and the times. Return 1 if anything failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--choices", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    problems, failures, moves, first, again = [], [], [], [], []
    size = {"width": 1000, "height": 1400}
    with (
        tempfile.TemporaryDirectory() as folder,
        reader.served(ROOT / "notebooks" / "explorer.ipynb", Path(folder)) as address,
        open_page(problems, viewport=size) as page,
    ):
        reader.opened(page, address)
        reader.read(page, reader.shown(page)[0], "measured", 120)
        for i in range(options.choices):
            target = reader.drawn(np.random.default_rng([options.seed, i]), largest=350)
            moves += reader.moved(page, target)
            start = time.monotonic()
            choice, values = reader.shown(page)
            ranks = reader.read(page, target, "measured", 120)
            first.append(time.monotonic() - start)
            expected = [found.rank for found in dense_ranks(*problem(target))]
            right = choice == target and values == list(forms(target).known.ranks) and ranks == expected
            failures += [] if right else [target]
            print(f"p = {parameters(target):>3}, {first[-1]:4.1f} s, {target} {ranks} {'' if right else 'WRONG'}")
            if parameters(target) >= 250:
                again.append(_measured_again(page, target))
    print(
        f"{len(moves)} moves shown within {1000 * max(moves):.0f} ms, half of them in {1000 * np.median(moves):.0f} ms"
    )
    print(f"measured within {max(first):.1f} s, half of them in {np.median(first):.1f} s, compilation included")
    if again:
        print(f"p from 250 to 350, compiled before: within {max(again):.1f} s")
    print(f"wrong: {len(failures)}; errors in the console: {problems}")
    return 1 if failures or problems else 0


def _measured_again(page, choice):
    """Return the seconds that the button takes from the click to the ranks of a choice that was measured before."""
    start = time.monotonic()
    page.get_by_role("button", name="Measure").click()
    page.wait_for_selector("[data-busy=true]", timeout=5_000)
    page.wait_for_selector("[data-busy=false]", timeout=60_000)
    reader.read(page, choice, "measured", 5)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
