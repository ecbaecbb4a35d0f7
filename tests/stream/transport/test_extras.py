"""Transports that need an extra."""

import sys

import pytest

from edgeloop.errors import ConfigError
from edgeloop.stream.transport import connect, serve
from streams import echo


@pytest.mark.parametrize("name", ["grpc", "zmq"])
def test_a_missing_extra_is_named_in_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [known for known in sys.modules if known.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    for module in [known for known in sys.modules if f".transport.{name}" in known]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    said = rf"^{name}:// needs {name}: pip install 'edgeloop\[{name}\]'\.$"
    with pytest.raises(ConfigError, match=said):
        serve(f"{name}://127.0.0.1:0", echo)
    with pytest.raises(ConfigError, match=said):
        connect(f"{name}://127.0.0.1:1")
