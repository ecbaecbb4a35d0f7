"""The page of all projects."""

from edgeloop.loop.services import overview
from edgeloop.loop.services.overview import Summary
from edgeloop.loop.ui.frame import project_path
from edgeloop.loop.ui.pictures import picture
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import Link, Text, badge, block, command, count, empty

_COVERS = 4


@visited("/", title="Projects")
async def projects_page(visit: Visit) -> None:
    """A card per project, or how to make the first one."""
    async with visit.read() as workspace:
        found = await overview.summaries(workspace, covers=_COVERS)
    with block("el-title"):
        Text("Projects", tag="h1")
    if not found:
        empty(
            "There is no project yet. Create one with its categories, then import images:",
            "edgeloop project create ORGANIZATION/PROJECT --category bolt --category nut",
            "edgeloop import voc FOLDER --project ORGANIZATION/PROJECT",
        )
        return
    with block("el-cards"):
        for summary in found:
            _card(summary)


def _card(summary: Summary) -> None:
    project = summary.project
    path = project_path(project.organization, project.name)
    with block("el-panel el-project", tag="article"):
        with Link(path, classes="el-covers").put(aria_label=f"Images of {project.address}"):
            for image in summary.covers:
                picture(image, project.categories)
            if not summary.covers:
                Text("no images", "el-muted")
        with block("el-panel-title", tag="header"):
            with Link(path, classes="el-name"), Text("", tag="h2"):
                Text(f"{project.organization} / ", "el-muted")
                Text(project.name)
            if summary.live_trainings:
                badge("training", "running")
        _states(summary, path)
        _models(summary)
        if project.open_to_devices:
            Text("Open to devices of other hosts.", "el-muted", tag="p")
        else:
            Text("Only devices of this host come in without a login. To open:", "el-muted", tag="p")
            command(f"edgeloop project open {project.address}")


def _states(summary: Summary, path: str) -> None:
    with block("el-states"):
        for state, number in summary.images.items():
            with Link(f"{path}?state={state}", classes=f"el-state el-is-{state}"):
                Text(str(number), tag="b")
                Text(state)


def _models(summary: Summary) -> None:
    project = summary.project
    with block("el-line"):
        path = project_path(project.organization, project.name, "models")
        Link(path, count(summary.models, "model"))
        if summary.deployed:
            badge(f"{summary.deployed} deployed", "deployed")
        elif summary.models:
            Text("none deployed", "el-muted")
        Text(", ".join(c.name for c in project.categories), "el-muted el-cut")
