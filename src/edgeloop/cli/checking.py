"""``edgeloop loop --check``: what an audit of the loop's data found, for people and programs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.progress import Progress, TaskID

from edgeloop.cli.console import progress_bar, stderr, stdout
from edgeloop.cli.options import needs_extra
from edgeloop.cli.tables import show, show_json
from edgeloop.loop.settings import LoopSettings

if TYPE_CHECKING:
    from edgeloop.loop.services.audit.findings import Finding, Verdict

SHOWN = 20
"""So many findings of a kind are shown on the terminal; JSON has all."""
_EVERY_S = 0.1


def check_data(settings: LoopSettings, *, repair: bool, deep: bool, as_json: bool) -> None:
    """Check a loop's data and say what was found. Exit code 0: clean, 1: findings."""
    with needs_extra("loop"):
        from edgeloop.loop import check
    with progress_bar(is_shown=stderr.is_terminal) as bar:
        verdict = asyncio.run(check(settings, repair=repair, deep=deep, on_progress=_Steps(bar)))
    if as_json:
        show_json(_to_json(verdict))
    else:
        _show(verdict)
    if not verdict.is_clean:
        raise typer.Exit(1)


class _Steps:
    """A bar for each step, moved some times a second."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._moved = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(f"checking {step}", total=total)
        if done == total or time.monotonic() - self._moved > _EVERY_S:
            self._moved = time.monotonic()
            self._bar.update(self._tasks[step], completed=done, total=total)


def _show(verdict: "Verdict") -> None:
    from edgeloop.loop.services.audit.findings import REMEDIES, TITLES

    _say("Checked " + ", ".join(f"{n} {what}" for what, n in verdict.found.checked.items()) + ".")
    for kind in verdict.found.counts:
        found = verdict.found.of(kind)
        show(
            found[:SHOWN],
            {TITLES[kind]: lambda one: one.subject, "": lambda one: one.detail},
            as_json=False,
        )
        more = f"... and {len(found) - SHOWN} more (--json has all). " if len(found) > SHOWN else ""
        _say(f"{more}{len(found)} of this kind: {REMEDIES[kind]}.")
    for line in (*verdict.repairs, *verdict.found.notes):
        _say(line)
    _say(_outcome(verdict))


def _outcome(verdict: "Verdict") -> str:
    if not verdict.found.findings:
        return "Clean: the database is whole, and it agrees with the files."
    if verdict.is_clean:
        return "Clean now."
    return f"Not clean: {len(verdict.left.findings)} findings."


def _say(line: str) -> None:
    stdout.print(escape(line), highlight=False, soft_wrap=True)


def _to_json(verdict: "Verdict") -> dict[str, Any]:
    return {
        "clean": verdict.is_clean,
        "checked": dict(verdict.found.checked),
        "findings": _plain(verdict.found.findings),
        "left": _plain(verdict.left.findings),
        "repairs": list(verdict.repairs),
        "notes": list(verdict.found.notes),
    }


def _plain(findings: Sequence["Finding"]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]
