"""Memory that is used again."""

import threading

import numpy as np
import pytest

from edgeloop.stream.transport.buffers import Buffers
from streams import in_thread

PAGE = 4096
MEGABYTE = 1 << 20


def address(view: memoryview) -> int:
    return np.frombuffer(view, np.uint8).ctypes.data


def test_memory_is_lent_again_when_its_last_array_is_gone() -> None:
    buffers = Buffers()
    first = buffers.lend(MEGABYTE)
    array, where = np.frombuffer(first, np.uint8)[10:20][::2], address(first)
    del first
    second = buffers.lend(MEGABYTE)
    assert address(second) != where
    del array
    assert address(buffers.lend(MEGABYTE)) == where


def test_memory_has_the_size_asked_for_and_begins_at_a_page() -> None:
    buffers = Buffers()
    for size in (1, PAGE, MEGABYTE + 1, 3 * MEGABYTE):
        view = buffers.lend(size)
        assert len(view) == size
        assert address(view) % PAGE == 0
        view[-1:] = b"x"
    assert len(buffers.lend(0)) == 0


def test_much_larger_memory_is_not_wasted_on_a_small_message() -> None:
    buffers = Buffers()
    where = address(buffers.lend(100 * MEGABYTE))
    assert address(buffers.lend(MEGABYTE)) != where
    assert address(buffers.lend(60 * MEGABYTE)) == where


@pytest.mark.parametrize(("bound", "kept"), [(20 * MEGABYTE, True), (MEGABYTE, False)])
def test_what_is_kept_idle_is_bounded(bound: int, kept: object) -> None:
    buffers = Buffers(idle_bytes=bound)
    lent = [buffers.lend(3 * MEGABYTE) for _ in range(4)]
    for view in lent:
        view[:1] = b"x"
    del view
    lent.clear()
    buffers.lend(PAGE)  # looks through what is idle, and finds it too large
    assert (buffers.lend(3 * MEGABYTE)[0] == ord("x")) is kept


def test_many_threads_borrow_at_once() -> None:
    buffers, begin = Buffers(), threading.Barrier(8)

    def borrow(mark: int) -> None:
        begin.wait()
        for _ in range(200):
            view = buffers.lend(PAGE)
            view[:] = bytes([mark]) * PAGE
            assert bytes(view) == bytes([mark]) * PAGE

    for outcome in [in_thread(lambda mark=mark: borrow(mark)) for mark in range(8)]:  # type: ignore[misc]
        outcome.result()
