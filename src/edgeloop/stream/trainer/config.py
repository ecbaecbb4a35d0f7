"""What a trainer and its clients must agree on."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop.errors import ConfigError, NotFound

KIND = "trainer"
NETWORK = "network"
"""The topic of the weights."""
TRANSITIONS = "transitions"
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class TrainerConfig:
    """What clients may ask for, and how often; the same on both sides, the port apart.

    ``port_number`` 0 is any free one. ``rate_limit`` is how many requests per second a client may
    make (None: as many as it likes); updates are not counted. Raises ConfigError for request types
    that are a single text, and for a rate of 0 or less.
    """

    port_number: int = 5555
    request_types: Sequence[str] = ()
    rate_limit: float | None = None
    version: str = "0.0.2"

    def __post_init__(self) -> None:
        if isinstance(self.request_types, str):
            raise ConfigError(f"request_types is a list of texts: write [{self.request_types!r}].")
        if self.rate_limit is not None and not self.rate_limit > 0:
            raise ConfigError(
                f"A rate limit of {self.rate_limit}: give requests per second, or None."
            )
        object.__setattr__(self, "request_types", tuple(self.request_types))


def check_type(kind: str, config: TrainerConfig) -> None:
    """Raise NotFound for a request that nobody agreed on."""
    if kind not in config.request_types:
        there_are = ", ".join(config.request_types) or "none"
        raise NotFound(f"There is no request {kind!r}: there are {there_are}.")
