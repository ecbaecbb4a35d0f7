"""API tokens: made, listed, revoked; the secret is shown once."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from edgeloop.client.calls.account_records import MadeTokenRecord, Place, TokenRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import tokens
from edgeloop.loop.services.tokens import NewToken, Token
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1
from edgeloop.types import Scope

router = APIRouter()


class NewTokenBody(Payload):
    """A token to be: the highest role that it lends, or what a device may; for one project alone
    if that is named."""

    name: Annotated[str, shown("belt 3")]
    scopes: Annotated[tuple[Scope, ...], Field(max_length=5, examples=[["device"]])]
    project: Place | None = None
    expires: AwareDatetime | None = Field(default=None, examples=["2036-01-02T03:04:05+00:00"])

    def to_type(self) -> NewToken:
        """The token to be as a value."""
        return NewToken(self.name, self.scopes, self.project, self.expires)


@router.get(f"{V1}/tokens", **answers(page_of(TokenRecord)))
async def list_all(
    asking: Asking, user_id: str | None = None, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """One's own tokens; for admins of the loop also those of another account."""
    async with asking.read() as workspace:
        found = await tokens.listed(workspace, limit=limit + 1, after=after, account_id=user_id)
    return page(found, limit=limit, encode=_to_json, cursor=lambda token: token.id)


@router.post(f"{V1}/tokens", **answers(MadeTokenRecord, errors=(404,)))
async def create(asking: Asking, body: NewTokenBody) -> dict[str, Any]:
    """Make a token of one's account; only this answer has its secret."""
    async with asking.write() as workspace:
        made = await tokens.create(workspace, body.to_type())
    return {**_to_json(made.token), "secret": made.secret}


@router.delete(f"{V1}/tokens/{{token_id}}", **answers(Nothing))
async def revoke(asking: Asking, token_id: str) -> dict[str, Any]:
    """End a token for good: one's own or, for admins of the loop, anybody's."""
    await tokens.revoke(asking.parts.workspaces, asking.caller, token_id)
    return {}


def _to_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "username": token.username,
        "name": token.name,
        "scopes": list(token.scopes),
        "project": token.project,
        "created": token.created.isoformat(),
        "expires": token.expires.isoformat() if token.expires else None,
        "last_used": token.last_used.isoformat() if token.last_used else None,
    }
