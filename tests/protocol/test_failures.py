"""Errors cross HTTP as the class they are."""

import pytest

from edgeloop import errors
from edgeloop.protocol import routes
from edgeloop.protocol.failures import FAILURES, error_of, status_of


@pytest.mark.parametrize("kind", list(FAILURES))
def test_every_listed_error_comes_back_as_itself(kind: type[errors.EdgeloopError]) -> None:
    status, code = status_of(kind("why"))
    back = error_of(status, code, "why")
    assert type(back) is kind
    assert str(back) == "why"


def test_an_unlisted_error_is_sent_as_its_nearest_class() -> None:
    assert status_of(errors.ModelLoadFailed("x")) == status_of(errors.ModelError("x"))


def test_an_error_of_no_listed_class_is_500() -> None:
    assert status_of(errors.EdgeloopError("x"))[0] == 500


def test_without_a_code_the_status_decides() -> None:
    assert isinstance(error_of(404, None, "x"), errors.NotFound)


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_a_failing_server_is_worth_another_try(status: int) -> None:
    assert error_of(status, None, "x").retryable


def test_an_unknown_refusal_is_not_repeated() -> None:
    assert not error_of(418, None, "x").retryable


def test_ids_in_paths_cannot_leave_their_place() -> None:
    assert routes.image_file("o", "p", "../x") == "/api/o/projects/p/images/..%2Fx/main"
