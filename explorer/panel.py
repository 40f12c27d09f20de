"""The explorer: sliders on the left, and on the right what follows from them."""

import threading
import time

import ipywidgets as widgets

from explorer import controls, pages
from explorer.bars import draw_bars
from explorer.choices import MEASURED, Choice, nearest, parameters
from explorer.drawing import draw_network
from explorer.formulas import forms
from explorer.newest import Newest
from explorer.svg import stacked
from explorer.worker import Worker, measure, prove

PAUSE = 0.5  # seconds without a move of a slider before the ranks are measured
_PATIENCE = 4.0  # seconds that a measurement may have taken to be finished although nobody waits


class Explorer(widgets.VBox):
    """The explorer as a widget, and a picture of its beginning for pages without widgets, such as those on the web."""

    def __init__(self, children, still):
        super().__init__(children)
        self._still = still

    def _repr_mimebundle_(self, **options):
        """Return what Jupyter shows: the widget where it can."""
        words = "The explorer. Run this cell in Jupyter to move its sliders."
        return super()._repr_mimebundle_(**options) | {"text/plain": words, "image/svg+xml": self._still}


def explore(choice=None):
    """Return the explorer, a widget: sliders, closed forms, and the measured and exact ranks.

    The formulas follow the sliders at once. The ranks are measured when no slider has moved for half a second, in a
    process of its own, for up to 1500 parameters.

    Args:
        choice: Choice to begin with, by default that of `notebooks/hessian_rank.ipynb`.

    Raises:
        TypeError, ValueError: as `nearest`.
    """
    choice = nearest(Choice() if choice is None else choice)
    sliders = controls.build()
    shown = {name: widgets.HTML() for name in ("network", "ranks", "line", "status")}
    again = widgets.Button(description="Measure", tooltip="Measure the ranks now", icon="play")
    exact = widgets.Button(description="Exact ranks", tooltip="Find the ranks without a tolerance", icon="check")
    alone = widgets.Checkbox(True, description="measure after half a second", indent=False)
    now = {"choice": None, "forms": None, "measured": None, "exact": None}
    lock, busy = threading.RLock(), False

    def show():
        shown["ranks"].value = pages.ranks_page(now["choice"], now["forms"], now["measured"], now["exact"])

    def say(words, working=False):
        shown["status"].value = pages.status_page(words, working)

    def answer(job, worker, key, what, patience):
        """Return a function that has a process do a job, says so meanwhile, and shows the result."""

        def run(choice, stale):
            start = time.monotonic()

            def watched():
                gone = stale()
                seconds = int(time.monotonic() - start)
                if not gone and seconds != watched.said:
                    watched.said = seconds
                    with lock:
                        if not stale():
                            say(f"Computing {what}, p = {parameters(choice):,}, {seconds} s", working=True)
                return gone

            watched.said = None
            try:
                found, words = worker.run(job, choice, watched, patience), None
            except Exception as error:  # any of them has to be seen, and the page goes on
                found, words = None, f"{type(error).__name__}: {error}"
            with lock:
                if not stale():
                    now[key] = found
                    say(words or f"{what.capitalize()} found in {time.monotonic() - start:.1f} s.")
                    show()

        return run

    measuring = Newest(answer(measure, Worker(), "measured", "the ranks", _PATIENCE), PAUSE)
    proving = Newest(answer(prove, Worker(), "exact", "the exact ranks", 0.0), 0.0)

    def changed(_=None):
        nonlocal busy
        if busy:  # a slider that follows another one
            return
        with lock:
            busy = True
            try:
                choice = controls.read(sliders, now["choice"])
                controls.write(sliders, choice)
            finally:
                busy = False
            if choice == now["choice"]:
                return
            now.update(choice=choice, forms=forms(choice), measured=None, exact=None)
            proving.drop()
            shown["network"].value = pages.network_page(choice, now["forms"])
            shown["line"].value = pages.line_page(choice)
            show()
            small = parameters(choice) <= MEASURED
            again.disabled, exact.disabled = not small, not small
            if small and alone.value:
                say("The ranks will be measured in a moment.")
                measuring.ask(choice)
            else:
                measuring.drop()
                say(
                    ""
                    if small
                    else f"More than {MEASURED} parameters: the formulas hold, but measuring takes too long."
                )

    def asked(which, what):
        with lock:
            say(f"Computing {what} ...", working=True)
            which.ask(now["choice"])

    again.on_click(lambda _: asked(measuring, "the ranks"))
    exact.on_click(lambda _: asked(proving, "the exact ranks"))
    controls.write(sliders, choice)
    for slider in controls.each(sliders):
        slider.observe(changed, "value")
    changed()
    wrap = dict(display="flex", flex_flow="row wrap", align_items="flex-start")
    row = widgets.Box([again, exact, alone], layout=widgets.Layout(**wrap | {"align_items": "center"}))
    left = widgets.VBox(controls.rows(sliders), layout=widgets.Layout(flex="0 1 262px", min_width="256px"))
    right = widgets.VBox(
        [shown["network"], row, shown["status"], shown["ranks"], shown["line"]],
        layout=widgets.Layout(flex="1 1 330px", min_width="280px", max_width="720px"),
    )
    page = [widgets.HTML(pages.STYLE), widgets.Box([left, right], layout=widgets.Layout(**wrap, grid_gap="16px"))]
    known = now["forms"]
    still = [draw_network(choice, known, alone=True), draw_bars(known, alone=True)]
    return Explorer(page, stacked(still))
