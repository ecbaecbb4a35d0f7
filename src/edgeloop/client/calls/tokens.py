"""Calls about API tokens."""

from collections.abc import Sequence

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.account_records import MadeTokenRecord, TokenRecord
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.protocol.routes import V1
from edgeloop.types import Scope


def tokens(
    *, user_id: str | None = None, after: str | None = None, limit: int = 1000
) -> Call[Page[TokenRecord]]:
    """One's own tokens; for admins of the loop also those of another account."""
    query = paging(after, limit, user_id=user_id)
    return Call("GET", f"{V1}/tokens?{query}", page_parser(TokenRecord.read))


def create_token(
    name: str,
    scopes: Sequence[Scope],
    *,
    project: str | None = None,
    expires: str | None = None,
) -> Call[MadeTokenRecord]:
    """Make a token of one's account; only the answer has its secret.

    ``project`` is ORGANIZATION/PROJECT where it shall count there alone; ``expires`` a time with
    its zone, as ISO 8601.
    """
    body = {"name": name, "scopes": list(scopes), "project": project, "expires": expires}
    path = f"{V1}/tokens"
    return Call("POST", path, lambda answer: MadeTokenRecord.read(answer.json()), json=body)


def revoke_token(token_id: str) -> Call[None]:
    """End a token for good."""
    return Call("DELETE", f"{V1}/tokens/{token_id}", nothing)
