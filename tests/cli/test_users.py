"""``edgeloop user`` and ``edgeloop token``: what people see and programs read."""

import re

import pytest
from pydantic import SecretStr

from cli.shop import Shop
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls import users
from edgeloop.client.calls.projects import projects
from edgeloop.errors import Conflict, InputError, NotFound, Unauthenticated
from loops import PASSWORD


def client_of(store: Shop, username: str, password: str) -> LoopClient:
    """A client that logs in as somebody."""
    host = store.client.settings.host
    return LoopClient(ClientSettings(host=host, username=username, password=SecretStr(password)))


def made_up(said: str) -> str:
    """The password that a command has made up."""
    found = re.search(r"shown only now: (\S+)", said)
    assert found
    return found[1]


def test_an_account_is_added_with_a_password_that_is_shown_once(store: Shop) -> None:
    password = made_up(store.run("user", "add", "ann"))
    with client_of(store, "ann", password) as ann:
        assert ann.send(users.me()).roles == []
    table = store.run("user", "list")
    assert "ann" in table
    assert "admin of the loop" in table
    listed = store.json("user", "list")
    assert [user["username"] for user in listed] == ["admin", "ann"]
    assert password not in str(listed)


def test_a_password_can_be_chosen_and_is_not_repeated(store: Shop) -> None:
    assert PASSWORD not in store.run("user", "add", "ann", "--new-password", PASSWORD)
    with client_of(store, "ann", PASSWORD) as ann:
        assert ann.send(users.me()).username == "ann"


def test_roles_are_given_listed_and_taken_place_by_place(store: Shop) -> None:
    store.run("user", "add", "ann", "--new-password", PASSWORD)
    assert "the role manager in o/p" in store.run("user", "role", "ann", "o/p", "manager")
    store.run("user", "role", "ann", "o", "viewer")
    assert "o/p: manager" in store.run("user", "list")
    rows = store.json("user", "members", "o/p")
    assert {(row["place"], row["role"]) for row in rows} == {("o/p", "manager"), ("o", "viewer")}
    assert [row["place"] for row in store.json("user", "members", "o")] == ["o"]
    with client_of(store, "ann", PASSWORD) as ann:
        assert len(ann.send(projects()).items) == 1
        for place in ("o", "o/p"):
            assert "no role of its own" in store.run("user", "role", "ann", place, "none")
        assert len(ann.send(projects()).items) == 0
    with pytest.raises(NotFound, match="no role of its own in o"):
        store.run("user", "role", "ann", "o", "none")


def test_somebody_becomes_an_admin_of_the_loop_and_is_one_no_more(store: Shop) -> None:
    store.run("user", "add", "ann", "--admin")
    assert "ann is not an admin" in store.run("user", "role", "ann", "--no-admin")
    assert "ann is an admin" in store.run("user", "role", "ann", "--admin")
    store.run("user", "remove", "ann", "--yes")
    with pytest.raises(Conflict, match="last admin"):
        store.run("user", "remove", "admin", "--yes")


@pytest.mark.parametrize("arguments", [(), ("o/p",), ("o/p", "king")])
def test_a_role_that_is_not_said_is_asked_for(store: Shop, arguments: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="one of viewer, annotator, manager, admin, none"):
        store.run("user", "role", "ann", *arguments)


def test_passwords_are_given_to_others_and_to_oneself(store: Shop) -> None:
    store.run("user", "add", "ann", "--new-password", PASSWORD)
    password = made_up(store.run("user", "password", "ann"))
    with client_of(store, "ann", password) as ann:
        assert ann.send(users.me()).username == "ann"
    assert "admin has a new password." in store.run(
        "user", "password", "--new-password", "battery staple"
    )
    with client_of(store, "admin", "battery staple") as root:
        assert root.send(users.me()).is_admin


def test_an_account_is_disabled_enabled_and_removed(store: Shop) -> None:
    store.run("user", "add", "ann", "--new-password", PASSWORD)
    store.run("user", "disable", "ann")
    with client_of(store, "ann", PASSWORD) as ann, pytest.raises(Unauthenticated):
        ann.log_in()
    store.run("user", "enable", "ann")
    with client_of(store, "ann", PASSWORD) as ann:
        ann.log_in()
    store.run("user", "remove", "ann", "--yes")
    with pytest.raises(NotFound, match="no account ann: edgeloop user list"):
        store.run("user", "remove", "ann", "--yes")


def test_a_token_is_made_used_listed_and_revoked(store: Shop) -> None:
    flags = ("--scope", "viewer", "--project", "o/p", "--expires-in-days", "7")
    secret = store.run("token", "create", "belt", *flags).strip()
    assert secret.startswith("el_")
    host = store.client.settings.host
    settings = ClientSettings(host=host, loop_token=SecretStr(secret))
    with LoopClient(settings) as program:
        assert [project.name for project in program.send(projects()).items] == ["p"]
        (token,) = store.json("token", "list")
        assert (token["name"], token["scopes"], token["project"]) == ("belt", ["viewer"], "o/p")
        assert token["expires"] > token["created"]
        assert token["last_used"]
        assert "belt" in store.run("token", "list", "--user", "admin")
        assert "Revoked belt." in store.run("token", "revoke", "belt")
        with pytest.raises(Unauthenticated, match="the holder of LOOP_TOKEN"):
            program.send(projects())
    with pytest.raises(NotFound, match="no token belt"):
        store.run("token", "revoke", "belt")


def test_programs_read_a_new_token_as_json_and_several_of_a_name_need_the_id(store: Shop) -> None:
    ids = [store.json("token", "create", "belt", "--scope", "device")["id"] for _ in range(2)]
    with pytest.raises(InputError, match="2 tokens are called belt"):
        store.run("token", "revoke", "belt")
    store.run("token", "revoke", ids[0])
    store.run("token", "revoke", "belt")
    assert store.json("token", "list") == []


def test_a_scope_that_there_is_not_is_said(store: Shop) -> None:
    with pytest.raises(InputError, match="choose from viewer, annotator, manager, admin, device"):
        store.run("token", "create", "belt", "--scope", "king")


def test_somebody_is_told_who_it_is(store: Shop) -> None:
    assert "admin of the loop" in store.run("user", "me")
    assert store.json("user", "me")["username"] == "admin"


def test_ones_sessions_are_listed_and_ended(store: Shop) -> None:
    with client_of(store, "admin", PASSWORD) as other:
        other.log_in()
        (there,) = [s.id for s in other.send(users.sessions()).items if s.is_present]
        assert there in store.run("user", "sessions")
        left = store.json("user", "sessions", "--end", there)
        assert there not in {session["id"] for session in left}
        assert len([session for session in left if session["is_present"]]) == 1
    with pytest.raises(NotFound):
        store.run("user", "sessions", "--end", there)


def test_an_account_is_renamed_and_keeps_its_password(store: Shop) -> None:
    store.run("user", "add", "ann", "--new-password", PASSWORD)
    assert "ann is called anna now." in store.run("user", "rename", "ann", "anna")
    with client_of(store, "anna", PASSWORD) as anna:
        assert anna.send(users.me()).username == "anna"
    with pytest.raises(NotFound, match="no account ann: edgeloop user list"):
        store.run("user", "rename", "ann", "anne")


def test_programs_read_what_became_of_an_account(store: Shop) -> None:
    added = store.json("user", "add", "ann")
    with client_of(store, "ann", added["password"]) as ann:
        assert ann.send(users.me()).id == added["id"]
    assert "password" not in store.json("user", "password", "ann", "--new-password", PASSWORD)
    assert store.json("user", "role", "ann", "o/p", "viewer")["role"] == "viewer"
    assert store.json("user", "role", "ann", "o/p", "none")["role"] is None
    assert store.json("user", "role", "ann", "--admin")["is_admin"] is True
    assert store.json("user", "disable", "ann")["is_disabled"] is True
    assert store.json("user", "enable", "ann")["is_disabled"] is False
    assert store.json("user", "rename", "ann", "anna")["username"] == "anna"


def test_organizations_are_created_and_listed(store: Shop) -> None:
    said = store.run("project", "organization", "create", "acme")
    assert "Created the organization acme." in said
    assert "acme" in store.run("project", "organization", "list")
    listed = store.json("project", "organization", "list")
    assert [(found["name"], found["projects"]) for found in listed] == [("acme", 0), ("o", 1)]
    assert store.json("project", "organization", "create", "other")["name"] == "other"
    with pytest.raises(Conflict):
        store.run("project", "organization", "create", "o")
