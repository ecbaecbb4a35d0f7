"""Who a node is: its uuid, and that it is alone in its folder."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

from edgeloop import durable
from edgeloop.errors import ConfigError


def node_id(folder: Path, name: str) -> str:
    """The uuid of the node ``name``, made at its first start and kept in ``folder``."""
    path = folder / "uuids.json"
    try:
        ids = json.loads(path.read_bytes())
        if isinstance(ids.get(name), str):
            return str(ids[name])
    except FileNotFoundError:
        ids = {}
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({error}): delete it for a new identity.") from error
    ids[name] = str(uuid.uuid4())
    durable.write_json(path, ids)
    return str(ids[name])


@contextlib.contextmanager
def only_node_in(folder: Path) -> Iterator[None]:
    """Make ``folder`` and keep other nodes out of it; raises ConfigError where one is in it."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(durable.alone_in(folder))
        except BlockingIOError as error:
            raise ConfigError(
                f"Another node works in {folder}: give this one another name or data folder."
            ) from error
        except OSError as error:
            raise ConfigError(
                f"The node cannot write to its data folder {folder} ({error.strerror}): "
                "choose another one with --data-folder (DATA_FOLDER)."
            ) from error
        yield
