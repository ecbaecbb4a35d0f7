"""``edgeloop user``: accounts, their passwords and their roles."""

import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.accounts import list_sessions, roles_of, show_me
from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr, stdout
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import members, users
from edgeloop.client.calls.account_records import MemberRecord, MeRecord, UserRecord
from edgeloop.errors import InputError, NotFound
from edgeloop.types import ROLES

app = typer.Typer(help="The accounts of a loop, and who may do what.", no_args_is_help=True)
app.command("me")(connected(show_me))
app.command("sessions")(connected(list_sessions))

NONE = "none"
User = Annotated[str, typer.Argument(metavar="USERNAME")]
Place = Annotated[str, typer.Argument(metavar="ORG[/PROJECT]")]
NewPassword = Annotated[
    str | None,
    typer.Option(help="The new password; without it one is made up, and shown this once."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_COLUMNS: Mapping[str, Callable[[UserRecord], Any]] = {
    "username": lambda user: user.username,
    "roles": roles_of,
    "disabled": lambda user: user.is_disabled,
    "created": lambda user: user.created[:19],
}
_MEMBER_COLUMNS: Mapping[str, Callable[[MemberRecord], Any]] = {
    "username": lambda member: member.username,
    "place": lambda member: member.place,
    "role": lambda member: member.role,
}


@app.command("add")
@connected
def add_user(
    client: LoopClient,
    user: User,
    new_password: NewPassword = None,
    admin: Annotated[bool, typer.Option("--admin", help="An admin of the whole loop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add an account; without a role it sees nothing yet."""
    chosen = new_password or secrets.token_urlsafe(12)
    made = client.send(users.add_user(user, chosen, is_admin=admin))
    _tell(made, f"Added {user}.", made_up=None if new_password else chosen, as_json=as_json)
    if not admin and not as_json:
        stderr.print(f"Give it a role: edgeloop user role {user} ORG/PROJECT viewer", markup=False)


@app.command("list")
@connected
def list_users(client: LoopClient, as_json: AsJson = False) -> None:
    """List all accounts with their roles."""
    show(list(items(client, users.users())), _COLUMNS, as_json=as_json)


@app.command("remove")
@connected
def remove_user(client: LoopClient, user: User, yes: Yes = False) -> None:
    """Delete an account with its sessions, tokens and roles; what it made stays."""
    record = find_user(client, user)
    if not yes:
        typer.confirm(f"Delete the account {user}?", abort=True, err=True)
    client.send(users.delete_user(record.id))
    stdout.print(f"Removed {user}.", markup=False)


@app.command()
@connected
def rename(
    client: LoopClient,
    user: User,
    name: Annotated[str, typer.Argument(metavar="NEW_NAME")],
    as_json: AsJson = False,
) -> None:
    """Give an account another name; its password, roles and tokens stay."""
    renamed = client.send(users.update_user(find_user(client, user).id, username=name))
    tell(renamed, f"{user} is called {renamed.username} now.", as_json=as_json)


@app.command()
@connected
def password(
    client: LoopClient,
    user: Annotated[str | None, typer.Argument(metavar="[USERNAME]")] = None,
    new_password: NewPassword = None,
    as_json: AsJson = False,
) -> None:
    """Give an account, one's own by default, another password; its other sessions end."""
    chosen = new_password or secrets.token_urlsafe(12)
    me = client.send(users.me())
    changed: MeRecord | UserRecord = me
    if user in (None, me.username):
        current = client.settings.password.get_secret_value()
        client.send(users.change_password(current, chosen))
    else:
        changed = find_user(client, user or "")
        client.send(users.set_password(changed.id, chosen))
    done = f"{changed.username} has a new password."
    _tell(changed, done, made_up=None if new_password else chosen, as_json=as_json)


@app.command()
@connected
def role(
    client: LoopClient,
    user: User,
    place: Annotated[str | None, typer.Argument(metavar="[ORG[/PROJECT]]")] = None,
    wanted: Annotated[str | None, typer.Argument(metavar=f"[{'|'.join((*ROLES, NONE))}]")] = None,
    admin: Annotated[
        bool | None, typer.Option("--admin/--no-admin", help="An admin of the whole loop, or not.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give an account a role in an organization or a project, or take it away with none."""
    changed: dict[str, Any] = {"username": user}
    done: list[str] = []
    if admin is not None:
        client.send(users.update_user(find_user(client, user).id, is_admin=admin))
        changed["is_admin"] = admin
        done.append(f"{user} is {'' if admin else 'not '}an admin of the loop.")
    elif place is None or wanted not in (*ROLES, NONE):
        raise InputError(
            f"Say where, and one of {', '.join((*ROLES, NONE))}: "
            f"edgeloop user role {user} ORG/PROJECT viewer"
        )
    if place is not None and wanted is not None:
        _set_role(client, user, place, wanted)
        changed |= {"place": place, "role": None if wanted == NONE else wanted}
        said = "no role of its own" if wanted == NONE else f"the role {wanted}"
        done.append(f"{user} has {said} in {place}.")
    tell(changed, "\n".join(done), as_json=as_json)


@app.command("members")
@connected
def list_members(client: LoopClient, place: Place, as_json: AsJson = False) -> None:
    """List who has which role in an organization or a project; admins of the loop are not."""
    if "/" in place:
        call = members.project_members(find_project(client, place).id)
    else:
        call = members.organization_members(place)
    found = items(client, call)
    show(sorted(found, key=lambda m: (m.username, m.place)), _MEMBER_COLUMNS, as_json=as_json)


@app.command()
@connected
def disable(client: LoopClient, user: User, as_json: AsJson = False) -> None:
    """Let nobody use an account for now: its sessions and tokens rest."""
    changed = client.send(users.update_user(find_user(client, user).id, is_disabled=True))
    tell(changed, f"{user} is disabled.", as_json=as_json)


@app.command()
@connected
def enable(client: LoopClient, user: User, as_json: AsJson = False) -> None:
    """Let an account be used again."""
    changed = client.send(users.update_user(find_user(client, user).id, is_disabled=False))
    tell(changed, f"{user} is enabled.", as_json=as_json)


def find_user(client: LoopClient, username: str) -> UserRecord:
    """The account of this name; raises NotFound."""
    found = client.send(users.users(username=username)).items
    if not found:
        raise NotFound(f"There is no account {username}: edgeloop user list.")
    return found[0]


def _set_role(client: LoopClient, user: str, place: str, wanted: str) -> None:
    given = next((role for role in ROLES if role == wanted), None)
    if "/" in place:
        project_id = find_project(client, place).id
        if given is None:
            client.send(members.remove_project_member(project_id, user))
        else:
            client.send(members.put_project_member(project_id, user, given))
    elif given is None:
        client.send(members.remove_organization_member(place, user))
    else:
        client.send(members.put_organization_member(place, user, given))


def _tell(account: MeRecord | UserRecord, done: str, *, made_up: str | None, as_json: bool) -> None:
    secret = {"password": made_up} if made_up else {}
    shown = f" The password, shown only now: {made_up}" if made_up else ""
    tell({**account.model_dump(mode="json"), **secret}, f"{done}{shown}", as_json=as_json)
