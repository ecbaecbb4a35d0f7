"""Where the loop is, as users say it."""

import pytest

from edgeloop.client import ClientSettings

NAMES = ("host", "username", "password", "organization", "project")


def said(settings: ClientSettings) -> dict[str, str]:
    fields = settings.model_dump(include=set(NAMES))
    return fields | {"password": settings.password.get_secret_value()}


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"LOOP_{name.upper()}", raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_short_names_of_variables_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name.upper(), f"short {name}")
    assert said(ClientSettings()) == {name: f"short {name}" for name in NAMES}


def test_long_names_of_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name.upper(), f"short {name}")
        monkeypatch.setenv(f"LOOP_{name.upper()}", f"long {name}")
    assert said(ClientSettings()) == {name: f"long {name}" for name in NAMES}


@pytest.mark.parametrize("prefix", ["", "LOOP_"])
def test_what_a_program_says_wins_over_every_variable(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    for name in NAMES:
        monkeypatch.setenv(f"{prefix}{name.upper()}", "set")
    wanted = dict.fromkeys(NAMES, "said")
    assert said(ClientSettings.model_validate(wanted)) == wanted


def test_the_name_that_a_desktop_exports_logs_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERNAME", "desktop")
    assert ClientSettings().login_name == ""
    monkeypatch.setenv("LOOP_USERNAME", "admin")
    monkeypatch.setenv("LOOP_PASSWORD", "secret")
    assert ClientSettings().login_name == "admin"


def test_the_long_name_of_the_certificate_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_PATH", "/other")
    monkeypatch.setenv("LOOP_SSL_CERT_PATH", "/ca.pem")
    assert str(ClientSettings().ssl_cert_path) == "/ca.pem"
    assert str(ClientSettings.model_validate({"ssl_cert_path": "/said"}).ssl_cert_path) == "/said"
