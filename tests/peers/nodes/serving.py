"""Serves a published node; runs in the virtual environment of the published clients."""

import argparse
import socket
from typing import Any

import uvicorn
from learning_loop_node.globals import GLOBALS


def arguments() -> argparse.Namespace:
    """Who the node is and where its data are; must come before any node is made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("uuid")
    parser.add_argument("data_folder")
    said = parser.parse_args()
    GLOBALS.data_folder = said.data_folder
    return said


def serve(node: Any) -> None:
    """Serve the node on a free port, and tell it once the node answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(node))
    print(f"Listening at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - read by the test
    server.run(sockets=[listener])
