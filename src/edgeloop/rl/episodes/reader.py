"""Reads episodes back, and fills stores with them."""

from collections.abc import Iterator
from pathlib import Path

from edgeloop.errors import NotFound
from edgeloop.rl.episodes.episode import Episode
from edgeloop.rl.episodes.files import files_of
from edgeloop.rl.episodes.marker import DiskLayout, read_marker
from edgeloop.stream import DataStore, TrajectoryBuffer

_SIGNS: dict[DiskLayout, str] = {"rlds": "dataset_info.json", "lerobot": "meta/info.json"}


class Episodes:
    """The episodes that a folder held when this was made: RLDS or LeRobotDataset v3.0.

    The folder may be that of an EpisodeLog, also while that goes on writing, or come from others:
    RLDS with tensors, images and texts, LeRobot with its images in the parquet files.

    Raises NotFound where there is no folder with episodes, ConfigError where an extra is missing,
    InputError where it is damaged or of a kind that is not read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        marker = read_marker(folder)
        self.layout = marker.purpose.layout if marker else _layout_of(folder)
        self._source = files_of(self.layout).open_source(folder, marker)
        self._origin = f"episodes/{marker.id if marker else folder.resolve()}"

    def __len__(self) -> int:
        return self._source.count

    def __getitem__(self, index: int) -> Episode:
        """One episode; raises IndexError, and InputError with the file's name if it is damaged."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Episode {index} of {len(self)} in {self.folder}.")
        return self._source.read(index % len(self))

    def __iter__(self) -> Iterator[Episode]:
        for index in range(len(self)):
            yield self[index]

    def fill(self, store: DataStore) -> int:
        """Insert all episodes into a store; says how many rows are new there.

        A TrajectoryBuffer gets the steps, any other store transitions, as Episode has them, without
        instructions and metadata. What this folder brought to the store before, also before that
        was saved and restored, is not inserted again.
        """
        first, begin = 0, store.received(self._origin)
        following = begin
        for episode in self:
            if isinstance(store, TrajectoryBuffer):
                columns = episode.trajectory()
            else:
                columns = episode.transitions()
            following = store.receive(self._origin, first, columns)
            first += len(columns["rewards"])
        return following - begin


def _layout_of(folder: Path) -> DiskLayout:
    for layout, sign in _SIGNS.items():
        if (folder / sign).is_file():
            return layout
    raise NotFound(
        f"{folder} has neither {' nor '.join(_SIGNS.values())}: name a folder with RLDS or a "
        "LeRobotDataset."
    )
