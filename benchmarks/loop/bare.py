"""A bare Starlette app under the loop's web server, for what the machine allows."""

import asyncio
import sys
from typing import Any

import socketio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from edgeloop import host


def main() -> None:
    """Answer so many bytes to everything, and success to every event of a socket."""
    answer = bytes(int(sys.argv[1]))

    async def echo(request: Request) -> Response:
        async for _ in request.stream():
            pass
        return Response(answer, media_type="application/octet-stream")

    async def acknowledge(_event: str, _socket: str, *_arguments: Any) -> dict[str, Any]:
        return {"success": True, "error_msg": None, "payload": None}

    server = socketio.AsyncServer(async_mode="asgi")
    server.on("*", acknowledge)
    sockets = Mount("/ws", socketio.ASGIApp(server, socketio_path="/ws/socket.io"))
    methods = ["GET", "POST", "PUT"]
    app = Starlette(routes=[sockets, Route("/{path:path}", echo, methods=methods)])

    def say(port: int) -> None:
        print(f"http://127.0.0.1:{port}", flush=True)

    asyncio.run(host.serve(app, host="127.0.0.1", port=0, on_started=say))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
