"""Routes with large bodies: who asks is known before the body is read."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from edgeloop.loop.api.context import Context, context_of

Admit = Callable[[Context, Mapping[str, str]], Awaitable[object]]
"""Raises for a caller who may not do it; the texts in the path say what it is done to."""


def admitting(admit: Admit) -> type[APIRoute]:
    """Routes that read and parse their body only once ``admit`` has let the caller in.

    FastAPI parses a body before it looks for anything else, and everybody waits meanwhile.
    """

    class Admitting(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def handle(request: Request) -> Response:
                await admit(await context_of(request), request.path_params)
                return await answer(request)

            return handle

    return Admitting
