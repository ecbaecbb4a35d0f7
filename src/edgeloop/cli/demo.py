"""``edgeloop demo``: the whole loop on this machine, told as a story."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from edgeloop import durable
from edgeloop.cli.console import stderr, stdout
from edgeloop.cli.options import needs_extra
from edgeloop.errors import InputError

MARKER = "edgeloop-demo"


def demo(
    seed: Annotated[int, typer.Option(help="Another seed draws other scenes.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="A Pascal VOC folder instead of drawn scenes.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="How many images the labelling round takes [with --data: 75]."),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="Also train on random images, and on none.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the table for programs.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("demo-output"),
    keep: Annotated[
        bool | None,
        typer.Option(help="Keep it running until Ctrl-C [default: on a terminal]."),
    ] = None,
) -> None:
    """Close the loop once: train, deploy, stream the field, label, train again, deploy again."""
    with needs_extra("demo"):
        from edgeloop.demo import plan as plans
        from edgeloop.demo import stage as stages
        from edgeloop.demo import tell
    if data:
        plan = plans.voc_plan(data, seed, budget=budget or 75, with_control=control)
    else:
        plan = plans.scenes_plan(seed, budget=budget, with_control=control)
    if json_file:
        _check_file(json_file)
    narrator = TerminalNarrator()
    # Photographs are read before anything of an earlier demo is removed: the folder may be wrong.
    photographs = tell.prepare(plan, output, narrator=narrator) if data else None
    with contextlib.ExitStack() as stack:
        stack.enter_context(_own(output))
        material = photographs or tell.prepare(plan, output, narrator=narrator)
        stack.enter_context(_terminable())
        stage = stack.enter_context(stages.set_stage(output, uncertain=plan.uncertain))
        narrator.say(f"The loop is at {stage.loop.url}: {stages.USERNAME} / {stage.password}")
        result = tell.tell(plan, material, stage=stage, narrator=narrator, folder=output)
        _show(result.to_json())
        if json_file:
            durable.write_json(json_file.absolute(), result.to_json())
        stdout.print(f"Before and after: {output / tell.PICTURE}", highlight=False)
        stdout.print(
            f"Visit the loop at [bold]{stage.loop.url}[/], log in as {stages.USERNAME} with "
            f"the password {stage.password}",
            highlight=False,
            soft_wrap=True,
        )
        if stdout.is_terminal if keep is None else keep:
            stderr.print("Everything stays up until Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    if not (stdout.is_terminal if keep is None else keep):
        stderr.print("All processes are ended; --keep leaves them up for a visit.")


class TerminalNarrator:
    """Tells the story on the terminal."""

    def chapter(self, title: str) -> None:
        """A rule with the title."""
        stderr.rule(f"[bold]{title}", align="left")

    def say(self, text: str) -> None:
        """A line."""
        stderr.print(text, highlight=False)

    @contextlib.contextmanager
    def progress(self, what: str, *, total: float) -> Iterator["TerminalBar"]:
        """A bar with a note beside it."""
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=stderr) as progress:
            yield TerminalBar(progress, progress.add_task(what, total=total, note=""))


class TerminalBar:
    """One bar of the terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, count: int = 1) -> None:
        """That many more are done."""
        self._progress.advance(self._task, count)

    def show(self, *, done: float, note: str = "") -> None:
        """So many are done in all, and a note beside the bar."""
        self._progress.update(self._task, completed=done, note=note)


def _show(result: dict[str, list[dict[str, object]]]) -> None:
    rows = [*result["models"], *result["control"]]
    has_parts = rows[0]["map50_start"] is not None
    table = Table(
        title="What closing the loop was worth",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    parts = ["start\nmAP50", "field\nmAP50"] if has_parts else []
    for column in ("model", "images", "itera-\ntions", "mAP50", "mAP50\n:95", *parts):
        justify: JustifyMethod = "left" if column == "model" else "right"
        table.add_column(column, justify=justify, no_wrap=column == "model")
    for column in ("ms per\nimage", "up-\nloaded", "la-\nbelled"):
        table.add_column(column, justify="right")
    keys = ["map50", "map50_95", *(["map50_start", "map50_field"] if has_parts else [])]
    for row in rows:
        name = f"{row['version']}\n{row['name']}" if row.get("name") else row["version"]
        time_ms = row["ms_per_image"]
        table.add_row(
            str(name),
            str(row["images"]),
            str(row["iterations"]),
            *(f"{row[key]:.3f}" for key in keys),
            f"{time_ms:.1f}" if time_ms is not None else "",
            str(row["uploaded"]),
            str(row["labelled"]),
        )
    stdout.print(table)


@contextlib.contextmanager
def _own(folder: Path) -> Iterator[None]:
    """Have a folder for this demo, emptied if it is that of an earlier one.

    Raises InputError where there are others' files in it, or a demo that is still running.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise InputError(f"{folder} is not empty: choose another folder with --output.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("The next demo with this output replaces this folder.\n")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(durable.alone_in(folder))
        except BlockingIOError as error:
            raise InputError(
                f"Another demo is running in {folder}: end it, or choose another folder with "
                "--output."
            ) from error
        for path in folder.iterdir():
            if path.name not in (MARKER, durable.LOCK):
                durable.remove(path)
        yield


def _check_file(path: Path) -> None:
    """Raise InputError, before the story begins, where its table could not be written."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: name a file in a folder that exists.")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, so that its processes are ended too."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
