"""What a command says that has made or changed something."""

from typing import Any

from edgeloop.cli.console import stdout
from edgeloop.cli.tables import show_one


def tell(made: Any, sentence: str, *, as_json: bool) -> None:
    """A sentence for people, or the thing that was made or changed, whole as JSON."""
    if as_json:
        show_one(made, {}, as_json=True)
    else:
        stdout.print(sentence, markup=False, highlight=False, soft_wrap=True)
