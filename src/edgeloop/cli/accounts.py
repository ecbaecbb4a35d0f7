"""``edgeloop user me|sessions``: one's own account, and where it is logged in."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.tables import AsJson, show, show_one
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import users
from edgeloop.client.calls.account_records import MeRecord, SessionRecord, UserRecord

_COLUMNS: Mapping[str, Callable[[SessionRecord], Any]] = {
    "id": lambda session: session.id,
    "created": lambda session: session.created[:19],
    "last seen": lambda session: session.last_seen[:19],
    "address": lambda session: session.address,
    "program": lambda session: session.agent,
    "is this one": lambda session: session.is_present,
}


def show_me(client: LoopClient, as_json: AsJson = False) -> None:
    """Show who asks, and what it may do."""
    facts: Mapping[str, Callable[[MeRecord], Any]] = {
        "username": lambda me: me.username,
        "roles": roles_of,
        "token": lambda me: me.token_id,
    }
    show_one(client.send(users.me()), facts, as_json=as_json)


def list_sessions(
    client: LoopClient,
    end: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="End this one first. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List one's logins that have not ended, the one last seen first; end some."""
    for session_id in end or ():
        client.send(users.end_session(session_id))
    show(list(items(client, users.sessions())), _COLUMNS, as_json=as_json)


def roles_of(account: MeRecord | UserRecord) -> str:
    """What an account may do where, in one line."""
    if account.is_admin:
        return "admin of the loop"
    return ", ".join(f"{role.place}: {role.role}" for role in account.roles)
