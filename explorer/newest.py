"""Answer the newest of many requests, in a thread of its own, while the page stays alive."""

import threading


class Newest:
    """A thread that answers requests once no newer one has come for a while.

    Args:
        answer: a function answer(request, stale). stale() says whether a newer request has come, or this one was
            dropped: what is still computed then is of no use.
        pause: seconds without a newer request.
    """

    def __init__(self, answer, pause):
        self._answer, self._pause = answer, pause
        self._changed, self._number, self._request, self._thread = threading.Condition(), 0, None, None

    def ask(self, request):
        """Replace whatever was asked before."""
        with self._changed:
            self._number, self._request = self._number + 1, (request,)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self):
        """Forget what was asked."""
        with self._changed:
            self._number, self._request = self._number + 1, None
            self._changed.notify()

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._request is not None)
                number = self._number
                newer = self._changed.wait_for(lambda: self._number != number, self._pause)  # noqa: B023, at once
                if newer:
                    continue
                (request,), self._request = self._request, None
            self._answer(request, lambda: self._number != number)  # noqa: B023, no answer outlives its turn
