"""Flags that say which loop is meant and who asks, for all commands that talk to one."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edgeloop.cli.options import (
    Loop,
    LoopToken,
    Password,
    SslCertPath,
    Username,
    client_settings,
)
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.call import Call
from edgeloop.errors import ConfigError, EdgeloopError, LoopError, LoopRejected, NotFound
from edgeloop.protocol import routes

_STATUS = Call(
    "GET", routes.STATUS, lambda answer: answer.json()["status"], login=False, timeout_s=5.0
)
_FLAGS: Mapping[str, Any] = {
    "loop": Loop,
    "username": Username,
    "password": Password,
    "loop_token": LoopToken,
    "ssl_cert_path": SslCertPath,
}


def connected(run: Callable[..., None]) -> Callable[..., None]:
    """A command with the flags of a connection; ``run`` gets the open one as ``client``."""

    def command(flags: Mapping[str, Any], **values: Any) -> None:
        with connection(client_settings(**flags)) as client:
            run(**values, client=client)

    return with_flags(command, run, replaced="client", flags=_FLAGS)


@contextlib.contextmanager
def connection(settings: ClientSettings) -> Iterator[LoopClient]:
    """A client whose session, if it began one with a password, ends with the command.

    Raises ConfigError where something answers that is no loop.
    """
    with LoopClient(settings) as client:
        try:
            yield client
        except (NotFound, LoopError):
            _check_loop(client)
            raise
        finally:
            if settings.login_name:
                with contextlib.suppress(EdgeloopError):  # what the command said counts
                    client.log_out()


def _check_loop(client: LoopClient) -> None:
    try:
        client.send(_STATUS)
    except (NotFound, LoopRejected) as error:
        raise ConfigError(
            f"What answers at {client.settings.base_url} is no loop: set LOOP_HOST or --loop to "
            "where yours is."
        ) from error
    except EdgeloopError:
        return  # what the command said counts


def with_flags(
    command: Callable[..., None],
    run: Callable[..., None],
    *,
    replaced: str,
    flags: Mapping[str, Any],
) -> Callable[..., None]:
    """``run`` as typer shall see it: with optional ``flags`` in the place of one parameter.

    ``command`` is called with the flags as a mapping, and with all else that ``run`` takes.
    """
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(run).parameters.items()
        if name != replaced
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=flag)
        for name, flag in flags.items()
    ]

    def shown(**values: Any) -> None:
        command({name: values.pop(name) for name in flags}, **values)

    shown.__name__ = run.__name__
    shown.__doc__ = run.__doc__
    shown.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
    vars(shown)["__signature__"] = inspect.Signature([*own, *added])
    return shown
