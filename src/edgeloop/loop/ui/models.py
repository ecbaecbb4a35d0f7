"""The page of a project's models: their figures, what became of them, and what is deployed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeloop.loop.services import conversions, curation, deployments, models, projects
from edgeloop.loop.services.conversions import Conversion
from edgeloop.loop.services.curation import Lineage
from edgeloop.loop.services.deployments import Deployment
from edgeloop.loop.services.models import Model
from edgeloop.loop.services.projects import Project
from edgeloop.loop.ui.frame import project_path, project_title
from edgeloop.loop.ui.scores import scores
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import (
    NOTHING,
    Link,
    Row,
    Table,
    Text,
    badge,
    block,
    empty,
    moment,
    panel,
)

DEPLOYMENTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The models of a project, newest first, what was deployed when, and what formats lack."""

    project: Project
    models: Sequence[Model]
    history: Sequence[Deployment]
    missing: Sequence[Conversion]

    def path(self, model_id: str) -> str:
        """The page with the figures of one model."""
        place = f"models?model={model_id}"
        return project_path(self.project.organization, self.project.name, place)

    def selected(self, model_id: str) -> Model:
        """The model that was asked for, else the deployed one, else the newest."""
        named = (model for model in self.models if model.row.id == model_id)
        deployed = (model for model in self.models if model.deployed)
        return next(named, None) or next(deployed, None) or self.models[0]

    def missing_of(self, model: Model) -> Sequence[Conversion]:
        """The formats that a model lacks."""
        return [missing for missing in self.missing if missing.model.id == model.row.id]


@visited("/projects/{organization}/{name}/models", title="Models")
async def models_page(visit: Visit, organization: str, name: str, *, model: str = "") -> None:
    """All models with files, and by category the figures of the one with the id ``model``."""
    async with visit.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await models.with_files(workspace, project.id)
        history = await deployments.history(workspace, project, limit=DEPLOYMENTS_SHOWN)
        missing = await conversions.listed(workspace, project.id)
        shelf = _Shelf(project, found, history, missing)
        selected = shelf.selected(model) if found else None
        lineage = await curation.lineage(workspace, selected.row.id) if selected else None
    tabs = {"Images": None, "Trainings": None, "Models": len(found)}
    project_title(organization, name, place="Models", figures=tabs)
    if selected is None or lineage is None:
        empty("There is no model yet: the first one comes with the first training.")
        return
    _list(shelf, selected)
    with block("el-split"):
        scores(visit, selected, project.categories)
        with block("el-side"):
            _lineage(shelf, selected, lineage)
            _history(shelf)


def _list(shelf: _Shelf, selected: Model) -> None:
    with panel():
        columns = ("Version", "Formats", "Training", "Images", "mAP50", "mAP50:95", "Created")
        table = Table(*columns, "Comment", is_list=True)
        for model in shelf.models:
            with table.row(is_selected=model is selected) as row:
                _fill(row, model, shelf)


def _fill(row: Row, model: Model, shelf: _Shelf) -> None:
    record = model.row
    with row.cell():
        Link(shelf.path(record.id), record.version or "", "el-name")
        for standing in _standing(model):
            badge(standing)
    with row.cell():
        for model_format in model.formats:
            Text(model_format, "el-tag")
        for missing in shelf.missing_of(model):
            _missing(missing)
    project = shelf.project
    with row.cell():
        if model.training_number is not None:
            place = f"trainings?training={model.training_number}"
            path = project_path(project.organization, project.name, place)
            Link(path, f"#{model.training_number}")
    row.text(_images(model))
    row.number(_metric(record.metrics, "map50"), 3).classes("el-strong")
    row.number(_metric(record.metrics, "map50_95"), 3)
    row.text(moment(record.created))
    row.text(record.comment, "el-cut")


def _standing(model: Model) -> Sequence[str]:
    said = {
        "deployed": model.deployed,
        "promoted": model.promoted,
        "retired": model.row.retired is not None,
    }
    return [word for word, is_so in said.items() if is_so]


def _missing(missing: Conversion) -> None:
    """A format that is wanted and not there; what is known of it shows when one points at it."""
    said = missing.error or (
        f"{missing.converter} is at it" if missing.converter else "waits for a converter"
    )
    kind = "el-tag el-missing el-fault" if missing.error else "el-tag el-missing"
    Text(f"no {missing.target_format}", kind).put(title=said)


def _metric(metrics: Mapping[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) else None


def _images(model: Model) -> str:
    record = model.row
    if record.train_images is None:
        return NOTHING
    return f"{record.train_images} train, {record.test_images or 0} test"


def _lineage(shelf: _Shelf, model: Model, lineage: Lineage) -> None:
    with panel(f"Lineage of {model.row.version}"), block("el-facts", tag="dl"):
        for name, related in (("From", lineage.ancestors), ("Became", lineage.children)):
            Text(name, tag="dt")
            with block(tag="dd"):
                with_files = [other for other in related if other.row.version]
                for other in with_files:
                    Link(shelf.path(other.row.id), other.row.version or "", "el-tag")
                if not with_files:
                    Text("scratch" if name == "From" else NOTHING, "el-muted")


def _history(shelf: _Shelf) -> None:
    with panel("Deployments"):
        if not shelf.history:
            Text("No model was deployed yet.", "el-muted", tag="p")
            return
        table = Table("Version", "When", "By", "How")
        for deployment in shelf.history:
            with table.row() as row:
                with row.cell():
                    Link(shelf.path(deployment.model_id), deployment.version)
                row.text(moment(deployment.created))
                row.text(deployment.author)
                row.text("rollback" if deployment.restores else "deployed", "el-muted")
