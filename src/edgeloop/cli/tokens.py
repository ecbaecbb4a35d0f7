"""``edgeloop token``: what programs show instead of a password."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr, stdout
from edgeloop.cli.tables import AsJson, show, show_one
from edgeloop.cli.users import find_user
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import tokens
from edgeloop.client.calls.account_records import TokenRecord
from edgeloop.errors import InputError, NotFound
from edgeloop.types import SCOPES, Scope

app = typer.Typer(help="API tokens of one's account.", no_args_is_help=True)

OfUser = Annotated[
    str | None, typer.Option("--user", help="Another account's; for admins of the loop.")
]
_COLUMNS: Mapping[str, Callable[[TokenRecord], Any]] = {
    "id": lambda token: token.id,
    "name": lambda token: token.name,
    "scopes": lambda token: ", ".join(token.scopes),
    "project": lambda token: token.project,
    "created": lambda token: token.created[:19],
    "expires": lambda token: token.expires and token.expires[:19],
    "last used": lambda token: token.last_used and token.last_used[:19],
}


@app.command("create")
@connected
def create_token(
    client: LoopClient,
    name: Annotated[str, typer.Argument(help="Which program or machine it is for.")],
    scope: Annotated[
        list[str],
        typer.Option(help="The highest role that it lends, or what a device may. Repeatable."),
    ],
    project: Annotated[
        str | None, typer.Option(metavar="ORG/PROJECT", help="It counts there alone.")
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, max=36500, help="It ends then; never without this.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and write its secret, this once: LOOP_TOKEN=$(edgeloop token create ...)."""
    expires = None
    if expires_in_days is not None:
        expires = (datetime.now(UTC) + timedelta(days=expires_in_days)).isoformat()
    scopes = [_scope(text) for text in scope]
    made = client.send(tokens.create_token(name, scopes, project=project, expires=expires))
    if as_json:
        show_one(made, {}, as_json=True)
        return
    stdout.print(made.secret, markup=False, highlight=False, soft_wrap=True)
    stderr.print(f"The token {name} is shown only now; set it as LOOP_TOKEN.", markup=False)


@app.command("list")
@connected
def list_tokens(client: LoopClient, user: OfUser = None, as_json: AsJson = False) -> None:
    """List one's tokens, those that have expired too."""
    show(_all(client, user), _COLUMNS, as_json=as_json)


@app.command("revoke")
@connected
def revoke_token(
    client: LoopClient,
    name: Annotated[str, typer.Argument(metavar="NAME|ID")],
    user: OfUser = None,
) -> None:
    """End a token for good."""
    found = [token for token in _all(client, user) if name in (token.id, token.name)]
    if not found:
        raise NotFound(f"There is no token {name}: edgeloop token list.")
    if len(found) > 1:
        ids = ", ".join(token.id for token in found)
        raise InputError(f"{len(found)} tokens are called {name}: name one by its id ({ids}).")
    client.send(tokens.revoke_token(found[0].id))
    stdout.print(f"Revoked {found[0].name}.", markup=False)


def _scope(text: str) -> Scope:
    found = next((scope for scope in SCOPES if scope == text), None)
    if found is None:
        raise InputError(f"{text!r} is no scope: choose from {', '.join(SCOPES)}.")
    return found


def _all(client: LoopClient, user: str | None) -> list[TokenRecord]:
    user_id = find_user(client, user).id if user else None
    found = items(client, tokens.tokens(user_id=user_id))
    return sorted(found, key=lambda token: token.created)
