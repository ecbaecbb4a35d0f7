"""Writes episodes: each is committed as a whole when it ends."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np

from edgeloop import durable
from edgeloop.errors import ConfigError, Conflict, InputError, StreamClosed
from edgeloop.rl.episodes.episode import Episode, Fact
from edgeloop.rl.episodes.files import EpisodeWriter, files_of
from edgeloop.rl.episodes.marker import (
    DiskLayout,
    Marker,
    Purpose,
    check_purpose,
    make_marker,
    read_marker,
    write_marker,
)
from edgeloop.rl.episodes.steps import Images, Step, StepLayout, fit_metadata, kinds_of

_NAME = re.compile("[a-z][a-z0-9_]*")
_USUAL = Purpose("rlds", "png", "episodes", 10)


class LogOptions(TypedDict, total=False):
    """How a log writes; what is left out is as the folder has it, or as said here.

    ``layout`` is "rlds" (the default, extra ``[rlds]``) or "lerobot" (extra ``[lerobot]``),
    ``images`` "png" (the default), "jpeg" (lossy) or in RLDS "raw", ``episodes_per_file`` 100 in
    RLDS, whose files grow, and 1 in LeRobot, whose files are written as a whole; ``name`` is that
    of the RLDS dataset ("episodes"), ``fps`` the steps per second that LeRobot's timestamps tell
    (10).
    """

    layout: DiskLayout
    images: Images
    episodes_per_file: int
    name: str
    fps: float


class EpisodeLog:
    """Writes episodes to a folder, and goes on there when it is opened again.

    An episode is on the disk whole or not at all, also when the process is killed or the power
    fails. The first one decides what steps and metadata are made of. One log at a time may be
    open on a folder; readers may look on. Its methods belong to one thread.

    Raises ConfigError where the folder holds anything else or was begun with other options,
    Conflict where another log is open on it, InputError where it is damaged.
    """

    def __init__(self, folder: Path, **options: Unpack[LogOptions]) -> None:
        self.folder = folder
        self._episodes_per_file = options.get("episodes_per_file")
        self._begun: _Begun | None = None
        self._is_closed = False
        self._marker: Marker | None = None
        self._writer: EpisodeWriter | None = None
        durable.make_folder(folder)
        with contextlib.ExitStack() as undo:
            try:
                undo.enter_context(durable.alone_in(folder))
            except BlockingIOError as error:
                raise Conflict(
                    f"{folder} is open in another EpisodeLog: close that one."
                ) from error
            durable.sweep(folder)
            marker = read_marker(folder)
            self._purpose = _purpose(options, marker.purpose if marker else _USUAL)
            check_purpose(folder, marker, self._purpose)
            self._files = files_of(self._purpose.layout)
            if marker:
                self._go_on(marker)
            self._lock = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many episodes are committed."""
        return self._writer.count if self._writer else 0

    def begin(
        self,
        observation: Any,
        *,
        instruction: str = "",
        metadata: Mapping[str, Fact] | None = None,
    ) -> None:
        """Begin an episode with what was seen after the reset; one that did not end is dropped.

        ``observation`` is an array or a dict of arrays and numbers; it is copied.
        ``instruction`` says in words what is to be done; ``metadata`` is anything about the
        episode as texts and numbers.
        """
        self._begun = _Begun(_copy(observation), instruction, dict(metadata or {}))

    def step(
        self,
        action: Any,
        reward: float,
        observation: Any,
        *,
        terminated: bool = False,
        truncated: bool = False,
    ) -> None:
        """Add what was done, what it brought, and what was seen then; end where told so.

        ``terminated`` and ``truncated`` mean what they do in Gymnasium. Either commits the
        episode, as ``write`` does; the discount is 1, and 0 where it terminates. Raises Conflict
        where none was begun.
        """
        if self._begun is None:
            raise Conflict("No episode has begun: call begin with the first observation.")
        self._begun.add(_copy(action), reward, _copy(observation), 0.0 if terminated else 1.0)
        if terminated or truncated:
            begun, self._begun = self._begun, None
            self.write(
                begun.steps(is_terminal=terminated),
                instruction=begun.instruction,
                metadata=begun.metadata,
            )

    def write(
        self,
        steps: Iterable[Step],
        *,
        instruction: str = "",
        metadata: Mapping[str, Fact] | None = None,
    ) -> int:
        """Commit a whole episode; says its index.

        Steps have ``observation``, ``action``, ``reward`` and, where that differs from 1, False
        and their place, ``discount``, ``is_terminal``, ``is_first`` and ``is_last``. Rewards and
        discounts are kept as float32.

        Raises InputError where something does not fit (nothing is written then), StorageFull.
        """
        if self._is_closed:
            raise StreamClosed(f"The log in {self.folder} is closed: open another one.")
        listed = list(steps)
        if not listed:
            raise InputError("An episode without a step: begin with an observation.")
        facts = dict(metadata or {})
        marker = self._marker or self._decide(listed[0], facts)
        try:
            episode = Episode(
                marker.steps.stack(listed), instruction, fit_metadata(facts, marker.metadata)
            )
        except InputError as error:
            raise InputError(f"Episode {len(self)} does not fit: {error}") from error
        self._commit(marker, episode)
        return len(self) - 1

    def close(self) -> None:
        """Let others in; an episode that did not end is dropped."""
        self._is_closed = True
        self._begun = None
        self._lock.close()

    def _decide(self, step: Step, metadata: Mapping[str, Fact]) -> Marker:
        return make_marker(self._purpose, StepLayout.of(step), kinds_of(metadata))

    def _go_on(self, marker: Marker) -> EpisodeWriter:
        """Sweep; what a first episode decided that was never committed counts no more."""
        writer = self._files.open_writer(self.folder, marker, self._episodes_per_file)
        self._writer, self._marker = writer, marker if writer.count else None
        return writer

    def _commit(self, marker: Marker, episode: Episode) -> None:
        with durable.storage_errors(self.folder):
            writer = self._writer
            if writer is None or self._marker is None:
                write_marker(self.folder, marker)
                writer = self._go_on(marker)
            writer.append(episode)
        self._marker = marker


class _Begun:
    """An episode that goes on."""

    def __init__(self, observation: Any, instruction: str, metadata: dict[str, Fact]) -> None:
        self.instruction = instruction
        self.metadata = metadata
        self._observation = observation
        self._steps: list[dict[str, Any]] = []

    def add(self, action: Any, reward: float, observation: Any, discount: float) -> None:
        self._steps.append(
            {
                "observation": self._observation,
                "action": action,
                "reward": reward,
                "discount": discount,
            }
        )
        self._observation = observation

    def steps(self, *, is_terminal: bool) -> list[dict[str, Any]]:
        """With a last one: what was done last is kept up, and brings nothing."""
        last = {
            "observation": self._observation,
            "action": self._steps[-1]["action"],
            "reward": 0.0,
            "discount": 0.0 if is_terminal else 1.0,
            "is_terminal": is_terminal,
        }
        return [*self._steps, last]


def _copy(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _copy(value) for key, value in tree.items()}
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def _purpose(options: LogOptions, usual: Purpose) -> Purpose:
    """What was asked for, and the usual where nothing was."""
    purpose = Purpose(
        options.get("layout", usual.layout),
        options.get("images", usual.images),
        options.get("name", usual.name),
        options.get("fps", usual.fps),
    )
    if purpose.layout not in ("rlds", "lerobot") or purpose.images not in ("png", "jpeg", "raw"):
        raise ConfigError(
            f"layout={purpose.layout!r}, images={purpose.images!r}: choose the layout from 'rlds' "
            "and 'lerobot', the images from 'png', 'jpeg' and 'raw'."
        )
    if (purpose.layout, purpose.images) == ("lerobot", "raw"):
        raise ConfigError("LeRobot keeps images as 'png' or 'jpeg', not 'raw'.")
    if not _NAME.fullmatch(purpose.name):
        raise ConfigError(f"name={purpose.name!r}: give small letters, digits and underscores.")
    if purpose.fps <= 0 or options.get("episodes_per_file", 1) < 1:
        raise ConfigError("fps must be above 0, episodes_per_file 1 or more.")
    return purpose
