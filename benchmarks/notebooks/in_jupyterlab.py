"""Every notebook in JupyterLab, in a browser: Run All, and look for errors and warnings.

    python -m benchmarks.notebooks.in_jupyterlab [hessian_rank ...] [--dark] [--as-committed] [--pictures FOLDER]

The notebooks are copies, so the committed ones stay as they are. A notebook fails if a cell raises an error or writes a
warning, or if the browser's console shows an error. The exit status is 1 if one did. Pictures of every page go to
the folder.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.browsing import free_port, open_page, when_it_answers
from tests.conftest import ROOT

_LONGEST = 1800  # seconds for one notebook
_IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
_BAD = ", ".join(f"[data-mime-type='application/vnd.jupyter.{kind}']" for kind in ("error", "stderr"))


def main():
    """Print a line for each notebook. Return 1 if one failed, else 0."""
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", default=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    parser.add_argument("--as-committed", action="store_true", help="with the committed outputs, without Run All")
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder, _lab(Path(folder), options.dark) as address:
        for name in options.notebooks:
            problems, start = [], time.monotonic()
            with open_page(problems, viewport={"width": 1000, "height": 1200}) as page:
                page.goto(f"{address}lab/workspaces/{name}/tree/{name}.ipynb?reset", wait_until="commit")
                page.wait_for_selector(_IDLE, state="attached", timeout=120_000)
                if not options.as_committed:
                    page.get_by_role("menuitem", name="Run", exact=True).click()
                    page.get_by_text("Run All Cells", exact=True).click()
                _wait_until_idle(page)
                seconds = time.monotonic() - start
                bad, pictures = _seen(page, name, options.pictures)
            failed += bool(bad or problems)
            print(
                f"{name:<16} {seconds:4.0f} s, {pictures} pages, errors and warnings: {bad}, console: {problems}",
                flush=True,
            )
    return 1 if failed else 0


@contextlib.contextmanager
def _lab(folder, dark):
    """Yield the address of a JupyterLab that shows copies of the notebooks."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    theme = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}
    (settings / "themes.jupyterlab-settings").write_text(json.dumps(theme))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token="]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    environment = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    with open(folder / "log.txt", "w") as log:
        options = dict(cwd=folder / "notebooks", env=environment, stdout=log, stderr=subprocess.STDOUT)
        process = subprocess.Popen(command, **options)
        try:
            yield when_it_answers(port, process)
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_idle(page):
    """Wait until the kernel has been idle for some seconds."""
    idle, end = 0, time.monotonic() + _LONGEST
    while idle < 3:
        assert time.monotonic() < end, f"not idle after {_LONGEST} s"
        time.sleep(1)
        status = page.locator(".jp-Notebook-ExecutionIndicator").first.get_attribute("data-status")
        idle = idle + 1 if status == "idle" else 0


def _seen(page, name, folder):
    """Scroll through a notebook, and take pictures. Return the number of errors and warnings, and of pages."""
    window, bad, number = page.locator(".jp-WindowedPanel-outer").first, 0, 0
    while number * 1000 < window.evaluate("element => element.scrollHeight"):
        window.evaluate(f"element => {{element.scrollTop = {number * 1000}}}")
        page.wait_for_timeout(500)
        bad = max(bad, page.locator(_BAD).count())
        if folder:
            page.screenshot(path=folder / f"{name}-{number:02d}.png")
        number += 1
    return bad, number


if __name__ == "__main__":
    sys.exit(main())
