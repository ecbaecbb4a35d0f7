"""Episodes on disk, one commit each, as RLDS or as a LeRobotDataset; and back into stores."""

from edgeloop.rl.episodes.episode import Episode
from edgeloop.rl.episodes.log import EpisodeLog
from edgeloop.rl.episodes.reader import Episodes

__all__ = ["Episode", "EpisodeLog", "Episodes"]
