"""Arrays in RAM and in files, and arrays that are used again."""

import gc
from pathlib import Path

import numpy as np

from edgeloop.stream.stores.memory import Folder, Ram
from edgeloop.stream.stores.pool import Pool

BYTE = np.dtype(np.uint8)
BIG = 1024 * 1024


def test_a_huge_array_costs_nothing_until_it_is_written_to() -> None:
    array = Ram().array("x", (1 << 40,), BYTE)
    array[1 << 39] = 7
    assert (array[1 << 39], array[0]) == (7, 0)


def test_a_folder_takes_disk_space_only_for_what_is_reserved(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        folder.array("x", (1 << 38,), BYTE)
        folder.reserve("x", 10)
        folder.reserve("x", 5)
        taken = (tmp_path / "x.bin").stat().st_blocks * 512
    assert 10 <= taken < 80 * BIG


def test_an_array_of_values_without_bytes_is_fine(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        assert folder.array("x", (10, 0), BYTE).shape == (10, 0)
    assert Ram().array("x", (10, 0), BYTE).shape == (10, 0)


def test_a_pooled_array_is_used_again_only_when_nobody_looks_at_it() -> None:
    pool = Pool()
    first = pool.empty((BIG,), BYTE)
    first[:] = 1
    view = first[10:20].reshape(2, 5)
    address = first.ctypes.data
    del first
    second = pool.empty((BIG,), BYTE)
    second[:] = 2
    assert view.tolist() == [[1] * 5] * 2
    assert second.ctypes.data != address
    del view
    gc.collect()
    third = pool.empty((BIG // 4,), np.dtype(np.float32))
    assert third.ctypes.data == address


def test_a_pool_keeps_a_few_arrays_only() -> None:
    pool = Pool()
    held = [pool.empty((BIG,), BYTE) for _ in range(30)]
    for number, array in enumerate(held):
        array[:] = number
    assert [int(array[-1]) for array in held] == list(range(30))


def test_small_arrays_are_left_to_the_allocator() -> None:
    pool = Pool()
    assert pool.empty((3, 4), BYTE).base is None
