"""Flags that say which loop is meant and who asks, for all commands that talk to one."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from edgeloop.cli.options import Loop, Password, Username, client_settings
from edgeloop.client import LoopClient

_FLAGS: Mapping[str, Any] = {"loop": Loop, "username": Username, "password": Password}


def connected(run: Callable[..., None]) -> Callable[..., None]:
    """A command with the flags of a connection; ``run`` gets the open one as ``client``."""

    def command(flags: Mapping[str, Any], **values: Any) -> None:
        with LoopClient(client_settings(**flags)) as client:
            run(**values, client=client)

    return with_flags(command, run, replaced="client", flags=_FLAGS)


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
