"""Every error that edgeloop raises on purpose.

EdgeloopError                  retryable = False
|- ConfigError                 settings missing or contradictory
|- InputError                  what was given cannot be used
|  |- ImageError               not decodable as an image
|  |- CodecError               not a valid message
|  `- Unprocessable            valid in form, impossible in content
|- Unauthenticated             no session or token: log in again
|- Forbidden                   logged in, but without the right
|- NotFound
|- Conflict
|- TooLarge
|- RateLimited                 (retryable)
|- Overloaded                  more waiting than allowed (retryable)
|- StorageFull                 no space left (retryable)
|- LoopError                   talking to a loop
|  |- LoopUnreachable          no answer (retryable)
|  `- LoopRejected             an answer that says no
|- ModelError
|  |- ModelUnavailable         none loaded yet (retryable)
|  `- ModelLoadFailed
|- TrainingError
|  |- TrainingInterrupted      crashed or cut off (retryable)
|  `- TrainingFailed
`- StreamError
   |- StreamTimeout            (retryable)
   |- StreamClosed
   |- ConfigMismatch
   |- EnvironmentLost          the episode is gone: reset
   `- RemoteError

One attribute decides what happens next: ``retryable``. Messages say what happened and what to do.
"""


class EdgeloopError(Exception):
    """Base of all errors raised on purpose."""

    retryable = False


class ConfigError(EdgeloopError):
    """Settings are missing or contradict each other."""


class InputError(EdgeloopError):
    """What was given cannot be used."""


class ImageError(InputError):
    """Bytes that cannot be decoded as an image."""


class CodecError(InputError):
    """Bytes that are not a valid message."""


class Unprocessable(InputError):
    """Valid in form, impossible in content."""


class Unauthenticated(EdgeloopError):
    """No session or token, or an expired one: log in again."""


class Forbidden(EdgeloopError):
    """Known, but without the right to do this."""


class NotFound(EdgeloopError):
    """It does not exist, or not for the one who asks."""


class Conflict(EdgeloopError):
    """The present state does not allow this."""


class TooLarge(EdgeloopError):
    """More bytes than are accepted."""


class RateLimited(EdgeloopError):
    """Too many requests: wait and repeat, after ``retry_after_s`` seconds where that is known."""

    retryable = True

    def __init__(self, message: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(EdgeloopError):
    """More is waiting than is allowed: wait and repeat."""

    retryable = True


class StorageFull(EdgeloopError):
    """No space left on the device."""

    retryable = True


class LoopError(EdgeloopError):
    """Talking to a loop went wrong."""


class LoopUnreachable(LoopError):
    """The loop did not answer."""

    retryable = True


class LoopRejected(LoopError):
    """The loop answered with a refusal that has no class of its own."""


class ModelError(EdgeloopError):
    """A model cannot be used."""


class ModelUnavailable(ModelError):
    """No model is loaded yet."""

    retryable = True


class ModelLoadFailed(ModelError):
    """The model's files or the code that loads them are at fault."""


class TrainingError(EdgeloopError):
    """A training went wrong."""


class TrainingInterrupted(TrainingError):
    """The training process ended before it was done: it can be started again."""

    retryable = True


class TrainingFailed(TrainingError):
    """The training cannot succeed, however often it is repeated."""


class StreamError(EdgeloopError):
    """The stream layer went wrong."""


class StreamTimeout(StreamError):
    """No answer before the deadline."""

    retryable = True


class StreamClosed(StreamError):
    """The connection is closed."""


class ConfigMismatch(StreamError):
    """Client and server were configured differently."""


class EnvironmentLost(StreamError):
    """The episode that was being played is gone: reset the environment."""


class RemoteError(StreamError):
    """The other side's handler raised an error of this ``type`` with this ``message``."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message
