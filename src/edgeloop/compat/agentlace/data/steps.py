"""The steps of trajectories in a store of `edgeloop.stream`, as agentlace numbers them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.beginnings import Beginnings, Row
from edgeloop.compat.agentlace.data.sampler import make_jit_insert
from edgeloop.compat.agentlace.data.trajectory_file import Columns, Part
from edgeloop.compat.agentlace.payloads import plain
from edgeloop.errors import InputError

Shape = tuple[int, ...]

_DATA = "data"
_END = "end_of_trajectory"
_TRAJECTORIES = "trajectories"


class Steps:
    """Steps with declared columns, numbered as if each trajectory had come as a whole.

    ``store`` has those whose trajectory is long enough; it numbers them as they came.
    """

    def __init__(
        self, capacity: int, shapes: Mapping[str, tuple[Shape, Any]], *, seed: int
    ) -> None:
        self.shapes = shapes
        self.store = stream.TrajectoryBuffer(capacity, seed=seed)
        self.store.register(_TRAJECTORIES, {"ids": stream.LatestWindow("trajectory_id")})
        self.beginnings = Beginnings()
        self.offset = 0
        """The number of the store's first step: not 0 after loading."""

        self._is_mixed = False

    @property
    def begin(self) -> int:
        """The number of the oldest step that is held."""
        return self.ready - len(self.store)

    @property
    def ready(self) -> int:
        """The number after that of the last step whose trajectory is long enough."""
        return self.store.cursor + self.offset

    @property
    def end(self) -> int:
        """The number of the next step."""
        return self.ready + len(self.beginnings.waiting(None))

    def extend(
        self, origin: str | None, items: Sequence[Mapping[str, Any]], *, least: int, ends: bool
    ) -> None:
        """Add steps of an origin, all or none; trajectories have ``least`` steps or are dropped.

        ``ends`` says whether one ends with the last of them. Raises AssertionError, InputError.
        """
        rows = [self._row(item) for item in items]
        ready: list[Row] = []
        for index, row in enumerate(rows):
            ready += self.beginnings.add(origin, row, least=least)
            is_told = ends and index == len(rows) - 1
            if is_told or np.any(row[_DATA].get(_END, False)):
                self._write(origin, ready)
                self.end_trajectory(origin)
                ready = []
        self._write(origin, ready)

    def end_trajectory(self, origin: str | None) -> None:
        """The next step of an origin begins another trajectory."""
        self.beginnings.end(origin)
        if origin is None:
            self.store.end_trajectory()

    def numbers_at(self, steps: Any) -> Any:
        """The store's numbers of these steps, (count,) int64."""
        places = np.asarray(plain(steps), np.int64) - self.begin
        if places.ndim != 1 or not ((places >= 0) & (places < len(self.store))).all():
            raise InputError(f"force_indices are from {self.begin} to {self.ready - 1}.")
        return self._order()[places]

    def steps_at(self, numbers: Any) -> Any:
        """The numbers of steps that the store has under these."""
        return np.argsort(self._order())[numbers - self._oldest()] + self.begin

    def columns(self, *, is_whole: bool = True) -> tuple[Columns, Columns]:
        """Dataset and metadata: with the steps that wait, or only of what can be sampled."""
        data, ids, firsts = self._held(self.beginnings.waiting(None) if is_whole else [])
        end = self.end if is_whole else self.ready
        numbers = np.arange(end - len(ids), end)
        known, members, counts = np.unique(ids, return_inverse=True, return_counts=True)
        begins = np.full(len(known), end)
        np.minimum.at(begins, members, numbers)
        metadata = {
            "ep_begin": begins[members],
            "ep_end": (begins + counts)[members],
            "trajectory_begin_flag": firsts,
            "trajectory_id": ids,
            "seq_id": numbers,
        }
        rows = numbers % self.store.capacity
        spread = make_jit_insert()
        dataset = {
            name: np.zeros((self.store.capacity, *shape), dtype)
            for name, (shape, dtype) in self.shapes.items()
        }
        nothing = {
            name: np.zeros(self.store.capacity, np.bool_)
            if column.dtype == np.bool_
            else np.full(self.store.capacity, -1)
            for name, column in metadata.items()
        }
        return spread(dataset, data, rows), spread(nothing, metadata, rows)

    def take_over(self, part: Part, *, is_open: bool, least: int) -> None:
        """Go on after steps that were saved, or just keep them."""
        is_kept = not is_open or part.count >= least or not part.is_whole
        if is_open:
            self.beginnings.go_on(None, part.id, is_kept=is_kept)
        if not is_kept:
            items = [
                {name: column[at] for name, column in part.data.items()} for at in range(part.count)
            ]
            self.extend(None, items, least=least, ends=False)
            return
        numbers = self.store.cursor + np.arange(part.count)
        self.store.insert_batch(
            {
                _DATA: part.data,
                "trajectory_id": np.full(part.count, part.id),
                "is_first": (numbers == numbers[0]) & part.is_whole,
                "number": numbers,
            }
        )
        if not is_open:
            self.store.end_trajectory()

    def _row(self, item: Mapping[str, Any]) -> Row:
        """A step as it is kept, but for what Beginnings and ``_write`` add."""
        if item.keys() != self.shapes.keys():
            missing, unknown = self.shapes.keys() - item.keys(), item.keys() - self.shapes.keys()
            raise AssertionError(
                f"A step has the declared columns: {sorted(missing)} are missing, "
                f"{sorted(unknown)} are not declared."
            )
        return {_DATA: {name: self._value(name, item[name]) for name in self.shapes}}

    def _value(self, name: str, value: Any) -> Any:
        """A copy, as declared; numbers and rows fill larger shapes, as numpy's do."""
        shape, dtype = self.shapes[name]
        try:
            copied = np.array(value, dtype)
            if copied.shape != shape:
                copied = np.broadcast_to(copied, shape).copy()
        except (TypeError, ValueError) as error:
            raise InputError(f"'{name}' is not {dtype}{shape}, as declared: {error}") from error
        return copied[()]

    def _write(self, origin: str | None, rows: Sequence[Row]) -> None:
        """Keep rows of one trajectory."""
        for number, row in enumerate(rows, self.store.cursor):
            row["number"] = number
        if origin is None:
            for row in rows:
                self.store.insert(row)
        elif rows:
            # An origin of its own for each trajectory: the store keeps apart what they send.
            name = f"trajectory {rows[0]['trajectory_id']}"
            self.store.receive(name, self.store.received(name), rows)
            self._is_mixed = True

    def _oldest(self) -> int:
        return self.store.cursor - len(self.store)

    def _order(self) -> Any:
        """The store's numbers of all steps, trajectory by trajectory."""
        numbers = np.arange(self._oldest(), self.store.cursor)
        if not self._is_mixed:
            return numbers
        data, _ = self.store.sample(_TRAJECTORIES, 0, starts=numbers)
        _, firsts, members = np.unique(data["ids"], return_index=True, return_inverse=True)
        return numbers[np.argsort(firsts[members], kind="stable")]

    def _held(self, waiting: Sequence[Row]) -> tuple[Columns, Any, Any]:
        """The newest steps, ``capacity`` at most: their data, their trajectories' ids, and which
        of them began one."""
        kept, _ = self.store.batch_since(0)
        order = self._order() - self._oldest()

        def joined(old: Any, new: Sequence[Any], shape: Shape, dtype: Any) -> Any:
            added = np.asarray(new, dtype).reshape(-1, *shape)
            both = added if old is None else np.concatenate([old[order], added])
            return both[-self.store.capacity :]

        columns = kept.get(_DATA, {})
        data = {
            name: joined(columns.get(name), [row[_DATA][name] for row in waiting], shape, dtype)
            for name, (shape, dtype) in self.shapes.items()
        }
        ids = [row["trajectory_id"] for row in waiting]
        firsts = [row["is_first"] for row in waiting]
        return (
            data,
            joined(kept.get("trajectory_id"), ids, (), np.int64),
            joined(kept.get("is_first"), firsts, (), np.bool_),
        )


def path_of(column: str) -> str:
    """Where the store has a column: apart from the names that would end a trajectory there."""
    return f"{_DATA}/{column}"
