"""What services ask of the connected nodes."""

from typing import TYPE_CHECKING, Any, Protocol

from edgeloop.errors import NotFound

if TYPE_CHECKING:
    from edgeloop.loop.services.workspace import Caller


class Fleet(Protocol):
    """The nodes that are connected now; the Socket.IO side implements it."""

    def is_connected(self, node_id: str) -> bool:
        """Whether the node has a live connection."""
        ...

    def caller_of(self, node_id: str) -> "Caller":
        """Who a connected node logged in as; nobody where it is not connected."""
        ...

    async def send(self, node_id: str, command: str, *arguments: Any) -> Any:
        """Send a command to one node and return its answer.

        Raises NotFound where the node is not connected, Conflict where it refuses for now,
        InputError where it cannot do what was asked, Unprocessable where it does not know the
        command, and Overloaded where it does not answer in time.
        """
        ...

    async def look_again(self) -> None:
        """Look again who the nodes are: a session has ended, or somebody's roles have changed.

        Those that would not be let in any more are disconnected.
        """
        ...


class NoFleet:
    """No node is connected: for services that run without a server."""

    def is_connected(self, node_id: str) -> bool:
        """Never."""
        return False

    def caller_of(self, node_id: str) -> "Caller":
        """Raises NotFound."""
        raise NotFound(f"The node {node_id} is not connected.")

    async def send(self, node_id: str, command: str, *arguments: Any) -> Any:
        """Raises NotFound."""
        raise NotFound(f"The node {node_id} is not connected.")

    async def look_again(self) -> None:
        """There is nobody."""
