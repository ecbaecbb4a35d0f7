"""What is shown where there is no page."""

from nicegui import Client, ui
from starlette.requests import Request
from starlette.responses import Response

from edgeloop.loop.ui.frame import framed
from edgeloop.loop.ui.widgets import Link, notice


async def page(request: Request) -> Response:
    """A page that says there is none at the request's path."""
    with Client(ui.page(""), request=request) as client:
        client.title = "No such page · edgeloop"
        with framed("", path=request.url.path):
            notice(f"There is no page {request.url.path}.")
            Link("/", "To the projects")
    return client.build_response(request, 404)
