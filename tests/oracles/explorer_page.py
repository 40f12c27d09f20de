"""A reader at the explorer: serves the notebook as a page, moves its sliders, reads what is shown."""

import contextlib
import os
import subprocess
import sys

from explorer import Choice, controls
from explorer.choices import FIRST, KINDS, LOSSES, activations, nearest, parameters
from tests.browsing import free_port, when_it_answers
from tests.conftest import ROOT

_LOSSES = {name: words for words, name in controls.LOSS_NAMES.items()}


@contextlib.contextmanager
def served(notebook, folder):
    """Yield the address of a notebook as a page, by voila. What the server prints goes to a file in the folder."""
    port = free_port()
    command = [sys.executable, "-m", "voila", notebook, "--no-browser", f"--port={port}"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with open(folder / "voila.txt", "w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=own, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield when_it_answers(port, process)
        finally:
            process.terminate()
            process.wait(30)


def opened(page, address):
    """Open the explorer, and wait until it is there."""
    # Voila's page asks for icons from a server elsewhere, and has its own if there is no answer.
    page.route("**/cdn.jsdelivr.net/**", lambda route: route.fulfill(status=200, content_type="text/css", body=""))
    page.goto(address, wait_until="commit", timeout=120_000)
    page.wait_for_selector("[data-formula]", timeout=180_000)


def shown(page):
    """Return the Choice that the page shows, and the values of its three formulas."""
    choice = eval(page.locator("[data-choice]").get_attribute("data-choice"), {"Choice": Choice})
    return choice, [int(page.locator(f'[data-formula="{name}"]').inner_text()) for name in ("H_f", "H_o", "H_L")]


def read(page, choice, kind, seconds):
    """Wait for the 'measured' or the 'exact' ranks of a choice, and return the three of them."""
    ranks = page.locator(f"[data-ranks={_quoted(repr(choice))}]")
    cells = ranks.locator(f"[data-{kind}]")
    cells.nth(2).wait_for(timeout=1000 * seconds)
    return [int(cell.inner_text()) for cell in cells.all()]


def grades(page):
    """Return the three grades."""
    return [cell.inner_text() for cell in page.locator("[data-grade]").all()]


# Notes when a control is touched, and when the formulas of another choice are on the page.
_WATCH = """() => {
    const shown = () => document.querySelector("[data-choice]")?.dataset.choice, before = shown();
    window.shownAt = undefined;
    for (const kind of ["keydown", "change", "click"])
        document.addEventListener(kind, () => { window.touchedAt = performance.now(); }, {capture: true});
    const watch = new MutationObserver(() => {
        if (shown() && shown() !== before) { window.shownAt = performance.now(); watch.disconnect(); }
    });
    watch.observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def moved(page, target):
    """Move the controls one by one until they say a choice. Return the seconds that each change took to be shown.

    They are counted in the page: from the key, the menu or the click to the formulas of another choice.
    """
    seconds = []
    for name, value in _controls(target).items():
        if _controls(shown(page)[0])[name] != value:
            page.evaluate(_WATCH)
            _set(page, name, value)
            page.wait_for_function("() => window.shownAt", timeout=20_000)
            seconds.append(page.evaluate("(window.shownAt - window.touchedAt) / 1000"))
    return seconds


def drawn(rng, largest):
    """Return a random Choice of at most so many parameters, a fitted one."""
    while True:
        kind = str(rng.choice(KINDS))
        widths = tuple(int(width) for width in rng.integers(1, 9, rng.integers(1, 4)))
        sizes = dict(inputs=rng.integers(1, 13), outputs=rng.integers(1, 7), samples=rng.integers(2, 60))
        more = dict(block_width=rng.integers(1, 9), heads=rng.integers(1, 4), tokens=rng.integers(2, 7))
        more |= dict(length=rng.integers(4, 11), kernel=rng.integers(1, 4), data_rank=rng.integers(1, 13))
        names = dict(loss=str(rng.choice(LOSSES)), activation="linear", bias=bool(rng.integers(2)))
        if rng.integers(2):
            names["activation"] = str(rng.choice(activations(kind)))
        sizes = {name: int(size) for name, size in (sizes | more).items()}
        choice = nearest(FIRST[kind]._replace(widths=widths, **sizes, **names))
        if parameters(choice) <= largest:
            return choice


def _controls(choice):
    """Return {name: value} of the controls that a choice is set by, in the order in which none undoes another."""
    found = {"kind": choice.kind}
    if choice.kind != "attention":
        found["depth"] = len(choice.widths)
    found |= {f"width_{i}": width for i, width in enumerate(choice.widths, start=1)}
    order = "loss", "activation", "bias", "block_width", "heads", "tokens", "length", "kernel"
    own = [name for name in order if choice.kind in controls.ONLY.get(name, KINDS)]
    return found | {name: getattr(choice, name) for name in (*own, "inputs", "outputs", "samples", "data_rank")}


def _set(page, name, value):
    """Set a control as a reader does: by the keyboard on a slider, or by its menu or its box."""
    control = page.locator(f".explorer-{name.replace('_', '-')}")
    if name in ("kind", "loss", "activation"):
        control.locator("select").select_option(label=_LOSSES.get(value, value))
    elif name == "bias":
        control.locator("input").set_checked(value)
    else:
        number = control.locator(".widget-readout")
        steps = value - int(number.inner_text())
        if abs(steps) == 1:
            control.locator(".noUi-handle").press("ArrowRight" if steps > 0 else "ArrowLeft")
        else:
            number.fill(str(value))
            number.press("Enter")


def _quoted(text):
    return '"' + text.replace('"', '\\"') + '"'
