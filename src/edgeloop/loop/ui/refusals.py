"""Which devices were not let in, and the commands that change that."""

from collections.abc import Sequence
from datetime import datetime

from edgeloop.loop.services import access
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.refusals import Refusal
from edgeloop.loop.services.workspace import Workspace
from edgeloop.loop.ui.widgets import Text, ago, block, command, count


def seen_refusals(workspace: Workspace) -> Sequence[Refusal]:
    """Those of all projects that the caller sees."""
    now, caller = workspace.clock(), workspace.caller
    return [
        refusal
        for project in workspace.refusals.projects()
        if access.may(caller, Right.READ, address=project)
        for refusal in workspace.refusals.of(project, now=now)
    ]


def show_refusals(found: Sequence[Refusal], *, now: datetime) -> None:
    """A notice for each project that has refused devices lately; nothing where there is none."""
    for project in dict.fromkeys(refusal.project for refusal in found):
        own = [refusal for refusal in found if refusal.project == project]
        with block("el-notice", tag="section").put(role="status"):
            Text(f"{project} is not open to devices and has refused some:", tag="p")
            for refusal in own:
                Text(_line(refusal, now), "el-muted", tag="p")
            Text("To let all devices in without a login, or only one with a token:", tag="p")
            command(f"edgeloop project open {project}")
            command(f"edgeloop token create NAME --scope device --project {project}")


def _line(refusal: Refusal, now: datetime) -> str:
    times = count(refusal.count, "time")
    return f"{refusal.peer} wanted to {refusal.wanted} ({times}, {ago(refusal.last, now)})"
