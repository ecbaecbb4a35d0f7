"""Threads that answer calls."""

import threading

import pytest

from edgeloop.errors import Overloaded
from edgeloop.stream.transport.workers import Workers
from streams import WAIT_S


def test_jobs_run_beside_each_other_and_threads_are_used_again() -> None:
    workers, meeting = Workers(3), threading.Barrier(3)
    for _ in range(5):
        jobs = [workers.submit(meeting.wait, WAIT_S) for _ in range(3)]
        assert sorted(job.result(WAIT_S) for job in jobs) == [0, 1, 2]
    workers.close()


def test_one_job_too_many_is_refused() -> None:
    workers, gate = Workers(1), threading.Event()
    job = workers.submit(gate.wait, WAIT_S)
    with pytest.raises(Overloaded, match="1 calls"):
        workers.submit(int)
    gate.set()
    assert job.result(WAIT_S)
    workers.close()


def test_without_another_thread_a_job_is_refused_and_the_next_one_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def starve(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers = Workers(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", starve)
        with pytest.raises(Overloaded, match="new thread"):
            workers.submit(int)
    assert workers.submit(int, "1").result(WAIT_S) == 1
    workers.close()


def test_the_error_of_a_job_is_handed_over() -> None:
    workers = Workers(1)
    with pytest.raises(ValueError, match="nonsense"):
        workers.submit(int, "nonsense").result(WAIT_S)
    workers.close()


def test_no_job_begins_after_the_end() -> None:
    workers = Workers(1)
    workers.close()
    with pytest.raises(RuntimeError, match="after the end"):
        workers.submit(int)


def test_who_is_told_that_a_job_is_done_may_submit_the_next_one() -> None:
    workers, last = Workers(1), threading.Event()

    def again(left: int) -> None:
        if left:
            workers.submit(int).add_done_callback(lambda job: again(left - 1))
        else:
            last.set()

    again(200)
    assert last.wait(WAIT_S)
    workers.close()
