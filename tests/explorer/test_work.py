"""The newest request is answered, in a process that can be stopped: nothing waits, nothing old is shown."""

import threading
import time

import pytest

from explorer import Choice, forms
from explorer.newest import Newest
from explorer.worker import StoppedError, Worker, measure, prove

SMALL = Choice(widths=(2,), inputs=3, outputs=2, data_rank=3)


def test_only_the_newest_of_many_requests_is_answered():
    answered, done = [], threading.Event()

    def answer(request, stale):
        answered.append((request, stale()))
        done.set()

    newest = Newest(answer, pause=0.2)
    for request in range(20):
        newest.ask(request)
        time.sleep(0.01)
    assert done.wait(10)
    assert answered == [(19, False)]


def test_what_is_asked_meanwhile_makes_the_running_answer_stale():
    started, go_on, found, second = threading.Event(), threading.Event(), [], threading.Event()

    def answer(request, stale):
        started.set()
        go_on.wait(10)
        found.append((request, stale()))
        if len(found) == 2:
            second.set()

    newest = Newest(answer, pause=0.0)
    newest.ask("old")
    assert started.wait(10)
    newest.ask("new")
    go_on.set()
    assert second.wait(10)
    assert found == [("old", True), ("new", False)]


def test_what_is_dropped_is_not_answered():
    answered = []
    newest = Newest(lambda request, stale: answered.append(request), pause=0.1)
    newest.ask(1)
    newest.drop()
    time.sleep(0.3)
    assert answered == []


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    yield worker
    worker.stop()


def test_a_process_measures_and_proves(worker):
    """A network 3-2-2: q = 2, M = 2, s = 2, r = 3."""
    expected = [2 * 2 * 2 + 2 * 2 * 2 - 2 * 2**2, 2 * (3 + 2 - 2), 2 * 2 * 2 - 2 * 2**2 + 2 * (3 + 2)]
    assert list(forms(SMALL).known.ranks) == expected
    assert [found.rank for found in worker.run(measure, SMALL, lambda: False)] == expected
    assert [found.rank for found in worker.run(prove, SMALL, lambda: False)] == expected


def test_what_nobody_waits_for_is_stopped_at_once_and_the_next_job_is_done(worker):
    start = time.monotonic()
    assert worker.run(prove, Choice(activation="tanh"), lambda: True) is None
    assert time.monotonic() - start < 5
    assert worker.run(measure, SMALL, lambda: False) is not None


def test_with_patience_a_job_is_finished_and_its_result_left_out(worker):
    assert worker.run(measure, SMALL, lambda: True, patience=60) is None
    process = worker._process
    assert worker.run(measure, SMALL, lambda: False) is not None
    assert worker._process is process


def test_errors_arrive_and_the_process_goes_on(worker):
    with pytest.raises(ValueError, match="does not fit"):
        worker.run(measure, Choice(data_rank=26), lambda: False)
    assert worker.run(measure, SMALL, lambda: False) is not None


def test_a_process_that_dies_says_so(worker):
    worker.run(measure, SMALL, lambda: False)
    threading.Timer(0.3, worker._process.kill).start()
    with pytest.raises(StoppedError, match="choose a smaller network"):
        worker.run(prove, Choice(activation="tanh"), lambda: False)
