"""The pair of a trainer: transitions come up from many clients, weights go down to them."""

from edgeloop.stream.trainer.client import TrainerClient
from edgeloop.stream.trainer.config import TrainerConfig
from edgeloop.stream.trainer.server import TrainerServer

__all__ = ["TrainerClient", "TrainerConfig", "TrainerServer"]
