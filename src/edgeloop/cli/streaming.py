"""A stream server as the command line sees it: how to reach it, what can be called there."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from edgeloop.cli.flags import command_of
from edgeloop.client.settings import StreamSettings
from edgeloop.errors import NotFound
from edgeloop.stream import Client, ClientOptions, Message, Tls
from edgeloop.stream.inference.names import route_of
from edgeloop.stream.service import ask_about, connect_to, server_url

Host = Annotated[
    str, typer.Argument(metavar="HOST", help="HOST:PORT, or a URL (tcp, unix, grpc, zmq).")
]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be called: how, with a payload."""

    name: str
    kind: str
    route: str
    message: Callable[[Message], Message]


def streaming(run: Callable[..., None]) -> Callable[..., None]:
    """A command with the flags of a connection; ``run`` gets them as ``settings``."""
    return command_of(run, {"settings": StreamSettings})


@contextlib.contextmanager
def reached(host: str, settings: StreamSettings) -> Iterator[tuple[Client, Message]]:
    """A client of the server at ``host``, and what that says of itself; raises ConfigMismatch."""
    options: ClientOptions = {"timeout_s": settings.timeout_s}
    if token := settings.token.get_secret_value():
        options["token"] = token
    if settings.tls_authority is not None:
        options["tls"] = Tls(authority=settings.tls_authority)
    url = server_url(host, None)
    with connect_to(url, options) as client:
        yield client, ask_about(client, url)


def offers_of(about: Message) -> list[Offer]:
    """What can be called at a server that says this of itself."""
    config = about["config"]
    interfaces = [
        Offer(name, "interface", route_of(name), _as_it_is) for name in about.get("interfaces", ())
    ]
    actions = [
        Offer(name, "action", "act", partial(_named, "key", name))
        for name in config.get("action_keys", ())
    ]
    observations = [
        Offer(name, "observation", "obs", partial(_wanted, name))
        for name in config.get("observation_keys", ())
    ]
    requests = [
        Offer(name, "request", "request", partial(_named, "type", name))
        for name in config.get("request_types", ())
    ]
    return [*interfaces, *actions, *observations, *requests]


def find_offer(about: Message, name: str) -> Offer:
    """What is called ``name``; raises NotFound with the names that there are."""
    offers = offers_of(about)
    for offer in offers:
        if offer.name == name:
            return offer
    names = ", ".join(offer.name for offer in offers) or "nothing"
    raise NotFound(f"This {about['kind']} server has no {name!r}: there is {names}.")


def _as_it_is(payload: Message) -> Message:
    return payload


def _wanted(name: str, payload: Message) -> Message:
    return {"keys": [name]}


def _named(field: str, name: str, payload: Message) -> Message:
    return {field: name, "payload": payload}
