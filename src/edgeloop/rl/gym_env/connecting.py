"""How clients come to their environment."""

from typing import cast

from edgeloop.rl.gym_env.asking import Asker
from edgeloop.rl.gym_env.description import Description, description_from
from edgeloop.rl.gym_env.server import DEFAULT_PORT, KIND
from edgeloop.stream.service import ClientOptions, open_client
from edgeloop.stream.transport import DEFAULT_TIMEOUT_S


class GymClientOptions(ClientOptions, total=False):
    """What clients of environments take as keywords; ``timeout_s`` bounds the server's silence.

    ``takeover`` lets this client in though another one has the environment: that one gets a
    Conflict at its next step.
    """

    takeover: bool


def connect_env(
    server: str, port: int | None, options: GymClientOptions, *, is_vector: bool
) -> tuple[Asker, Description]:
    """An asker that has the environment, and what that says of itself."""
    plain = dict(options)
    takeover = bool(plain.pop("takeover", False))
    client = open_client(
        server, port or DEFAULT_PORT, KIND, {"is_vector": is_vector}, cast("ClientOptions", plain)
    )
    try:
        timeout_s = options.get("timeout_s", DEFAULT_TIMEOUT_S)
        asker = Asker(client, timeout_s=timeout_s, takeover=takeover)
    except BaseException:
        client.close()
        raise
    try:
        return asker, description_from(asker.environment)
    except BaseException:
        asker.close()
        raise
