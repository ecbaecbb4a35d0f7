"""What the two layouts on disk have in common: episodes one after the other in a folder."""

import importlib
from pathlib import Path
from typing import Protocol

from edgeloop.errors import ConfigError
from edgeloop.rl.episodes.episode import Episode
from edgeloop.rl.episodes.marker import DiskLayout, Marker


class EpisodeWriter(Protocol):
    """Appends to a folder whose marker is written; what a killed process left is swept first."""

    @property
    def count(self) -> int:
        """How many episodes are committed."""

    def append(self, episode: Episode) -> None:
        """Commit one more, or leave all as it is. Raises StorageFull."""


class EpisodeSource(Protocol):
    """Reads the episodes that were committed when it was opened."""

    @property
    def count(self) -> int:
        """How many there are."""

    def read(self, index: int) -> Episode:
        """One of them; raises InputError, naming the file, where it is damaged."""


class Folder(Protocol):
    """The module of a layout."""

    def open_writer(
        self, folder: Path, marker: Marker, episodes_per_file: int | None
    ) -> EpisodeWriter:
        """Go on where the last commit was."""

    def open_source(self, folder: Path, marker: Marker | None) -> EpisodeSource:
        """Read what is there; without a marker it comes from others."""


def files_of(layout: DiskLayout) -> Folder:
    """What reads and writes a layout; raises ConfigError where its extra is not installed."""
    try:
        folder: Folder = importlib.import_module(f"edgeloop.rl.episodes.{layout}.folder")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The layout '{layout}' needs {error.name}: pip install 'edgeloop[{layout}]'."
        ) from error
    return folder
