"""Flags that say which images are meant, for all commands that take them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import with_flags
from edgeloop.client.calls.image_queries import ImageQuery
from edgeloop.types import ImageState, Split

Tags = Annotated[list[str] | None, typer.Option("--tag", help="Has this tag. Repeatable: all.")]
_FLAGS: Mapping[str, Any] = {
    "state": Annotated[ImageState | None, typer.Option(help="Is in this state.")],
    "split": Annotated[Split | None, typer.Option("--set", help="Is in this set.")],
    "tags": Tags,
    "category": Annotated[
        str | None, typer.Option(help="Shows this category: annotated, or detected for sure.")
    ],
    "camera": Annotated[str | None, typer.Option(help="Is from this camera.")],
    "source": Annotated[str | None, typer.Option(help="Is from this source.")],
    "received_from": Annotated[
        datetime | None, typer.Option("--from", help="Was received at this time or later.")
    ],
    "received_to": Annotated[
        datetime | None, typer.Option("--to", help="Was received before this time.")
    ],
    "min_confidence": Annotated[
        float | None, typer.Option(min=0, max=1, help="Is detected with this confidence or more.")
    ],
    "max_confidence": Annotated[
        float | None, typer.Option(min=0, max=1, help="Is detected with this confidence or less.")
    ],
    "model_version": Annotated[
        str | None,
        typer.Option("--model", help="Was looked at by this model; the confidence is its own."),
    ],
    "frame_id": Annotated[str | None, typer.Option("--frame", help="Has this frame id.")],
}


def choosing(run: Callable[..., None]) -> Callable[..., None]:
    """A command with a flag for each filter; ``run`` gets them as the ImageQuery ``query``.

    Times without a zone are those of this machine.
    """

    def command(flags: Mapping[str, Any], **values: Any) -> None:
        times = ("received_from", "received_to")
        zoned = {name: flags[name].astimezone() for name in times if flags[name]}
        tags = tuple(flags["tags"] or ())
        run(**values, query=ImageQuery(**{**flags, **zoned, "tags": tags}))

    return with_flags(command, run, replaced="query", flags=_FLAGS)
