"""The process dies at any line of an insert: the rows and their numbers are whole all the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import StorageFull
from edgeloop.stream.stores.layout import Array, layout_of
from edgeloop.stream.stores.ledger import MAX_ORIGINS, Arrival, Ledger
from edgeloop.stream.stores.transitions import Transitions
from kills import kill_at, lines_of
from transitions import as_columns, assert_same, picture, picture_transition, transition


class MappedFiles:
    """What the files of a folder hold, without a disk."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self._arrays = arrays

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._arrays.setdefault(name, np.zeros(shape, dtype))

    def reserve(self, name: str, rows: int) -> None:
        assert rows <= len(self._arrays[name])

    def survivors(self) -> "MappedFiles":
        """What the next process finds."""
        return MappedFiles({name: array.copy() for name, array in self._arrays.items()})


class Life:
    """A process that keeps the newest 6 transitions in mapped files."""

    def __init__(self, files: MappedFiles, make: Any) -> None:
        self.files = files
        self.layout = layout_of(make(0))
        self.ledger = Ledger(files)
        self.rows = Transitions(self.layout, 6, files, self.ledger, links="observations")

    def receive(self, origin: str, items: list[Any]) -> None:
        first = self.ledger.following(origin)
        count, columns = self.layout.columns(as_columns(items))
        self.rows.write(count, columns, Arrival(origin, first))

    def items(self) -> list[Any]:
        columns = self.rows.gather(np.arange(*self.rows.span))
        return [self.layout.item(columns, row) for row in range(len(self.rows.ring))]


@pytest.mark.parametrize("make", [transition, picture_transition])
@pytest.mark.parametrize("already", [1, 9])
def test_a_kill_at_any_line_leaves_a_transition_and_its_number_or_neither(
    make: Any, already: int
) -> None:
    start = MappedFiles({})
    life = Life(start, make)
    for number in range(already):
        life.receive("ab"[number % 2], [make(number)])
    items = [make(already), make(already + 1), make(already + 2)]
    trial = Life(start.survivors(), make)
    lines = lines_of(lambda: trial.receive("a", items))
    ends = set()
    for line in range(lines + 1):
        victim = Life(start.survivors(), make)
        kill_at(line, lambda victim=victim: victim.receive("a", items))  # type: ignore[misc]
        heir = Life(victim.files.survivors(), make)
        end = heir.ledger.end
        ends.add(end)
        assert heir.ledger.following("a") + heir.ledger.following("b") == end
        assert heir.rows.span == (max(0, end - 6), end)
        for number, item in enumerate(heir.items(), start=max(0, end - 6)):
            assert_same(item, make(number))
        heir.receive("a", [make(number) for number in range(end, end + 8)])  # and it lives on
        for number, item in enumerate(heir.items(), start=end + 2):
            assert_same(item, make(number))
    assert ends >= {already, already + 3}


class SmallDisk(MappedFiles):
    """Says once that it is full, after so many reservations of rows."""

    def __init__(self, left: int) -> None:
        super().__init__({})
        self._left = left

    def reserve(self, name: str, rows: int) -> None:
        super().reserve(name, rows)
        self._left -= name not in {"head", "origins"}
        if self._left == 0:
            self._left = -1
            raise StorageFull(f"No space left for {name}.")


def insist(action: Callable[[], object]) -> None:
    """Once more, if the disk was full."""
    try:
        action()
    except StorageFull:
        action()


@pytest.mark.parametrize("form", ["one", "columns"])
@pytest.mark.parametrize("left", range(1, 40))
def test_a_full_disk_leaves_the_rows_as_they_were(form: str, left: int) -> None:
    life = Life(SmallDisk(left), picture_transition)

    def send(end: int) -> None:
        begin = life.ledger.end
        items = [picture_transition(number) for number in range(begin, end)]
        if form == "one":
            life.rows.put(items[0])
        else:
            life.receive("a", items)

    for end in range(1, 60) if form == "one" else range(3, 60, 3):
        insist(lambda end=end: send(end))  # type: ignore[misc]
    end = life.ledger.end
    for number, item in enumerate(life.items(), start=end - 6):
        assert_same(item, picture_transition(number))
    places = life.rows.places(np.arange(end - 6, end))
    assert places.steps.tolist() == list(range(end - 6, end))  # one trajectory, all of it
    assert life.rows.frames
    assert life.rows.frames.size_bytes <= 8 * picture(0).nbytes


def test_a_kill_at_any_line_leaves_all_other_origins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeloop.stream.stores.ledger.MAX_ORIGINS", 8)
    files = MappedFiles({})
    ledger = Ledger(files)
    for number in range(8):
        ledger.commit(number + 1, f"robot {number}", 10 + number)
    lines = lines_of(lambda: Ledger(files.survivors()).commit(5000, "another", 7))
    for line in range(lines + 1):
        victim = files.survivors()
        kill_at(line, lambda victim=victim: Ledger(victim).commit(5000, "another", 7))  # type: ignore[misc]
        heir = Ledger(victim)
        assert (heir.end, heir.following("another")) in {(8, 0), (5000, 7)}
        assert heir.following("robot 0") in {0, 10}  # the one heard from longest ago makes room
        for number in range(1, 8):
            assert heir.following(f"robot {number}") == 10 + number


def test_the_origin_heard_from_longest_ago_makes_room() -> None:
    ledger = Ledger()
    for number in range(MAX_ORIGINS):
        ledger.commit(number + 1, f"robot {number}", 1)
    ledger.commit(MAX_ORIGINS + 1, "robot 0", 2)
    ledger.commit(MAX_ORIGINS + 2, "one more", 1)
    known = [ledger.following(f"robot {number}") for number in range(3)]
    assert (known, ledger.following("one more")) == ([2, 0, 1], 1)
