"""What the tests in a browser share: where it is, a page of it, and servers on this machine."""

import contextlib
import shutil
import socket
import time

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"
# Without these, Chromium asks servers of its maker for updates at every start.
_QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


@contextlib.contextmanager
def open_page(problems, **options):
    """Yield a page of a headless Chromium, without a window.

    Args:
        problems: list to which all errors are appended that the page writes to its console or raises.
        options: of the page, such as `viewport`, `color_scheme`, `offline` (playwright's `Browser.new_page`).
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is installed under any of the names {', '.join(NAMES)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_QUIET)
        page = browser.new_page(**options)
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        try:
            yield page
        finally:
            browser.close()


def free_port():
    """Return a port that no server uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def when_it_answers(port, process):
    """Return the address of a server on this machine, once it answers."""
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return f"http://127.0.0.1:{port}/"
        time.sleep(0.2)
    raise TimeoutError("the server does not answer")
