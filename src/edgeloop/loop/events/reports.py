"""What nodes say, event by event: parse, call a service, encode."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from edgeloop.errors import Forbidden, NotFound
from edgeloop.loop.services import annotating, deployments, hearing, progress, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol import events
from edgeloop.protocol.payloads.annotations import SegmentationReportPayload
from edgeloop.protocol.payloads.models import announced_target_to_json
from edgeloop.protocol.payloads.nodes import (
    AnnotatorStatusPayload,
    DetectorStatusPayload,
    TrainerStatusPayload,
)
from edgeloop.protocol.payloads.trainings import (
    EpochReportPayload,
    LogReportPayload,
    TrainingProgressPayload,
)
from edgeloop.types import DeploymentTarget

Report = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks over a socket, with the project that the socket's headers name.

    ``bind`` is to be called with the id of the node that reported.
    """

    caller: Caller
    organization: str
    project: str
    bind: Callable[[str], None]

    @property
    def account(self) -> Caller:
        """The account behind the node; raises Forbidden where it did not log in."""
        if self.caller.is_device:
            raise Forbidden("Only a node that logged in may say this: log in and connect again.")
        return self.caller


class Reports:
    """The events that nodes send; each answers with the payload of its acknowledgement.

    Arguments that an event does not have are ignored, as unknown keys are.
    """

    def __init__(self, workspaces: Workspaces, *, on_report: Callable[[], None]) -> None:
        """``on_report`` is called when a trainer has reported something new."""
        self._workspaces = workspaces
        self._on_report = on_report
        self.by_event: dict[str, Report] = {
            events.UPDATE_TRAINER: self._update_trainer,
            events.UPDATE_TRAINING: self._update_training,
            events.UPDATE_EPOCH: self._update_epoch,
            events.UPDATE_LOG: self._update_log,
            events.UPDATE_DETECTOR: self._update_detector,
            events.UPDATE_ANNOTATION_NODE: self._update_annotation_node,
            events.UPDATE_SEGMENTATION_ANNOTATION: self._update_segmentation_annotation,
        }

    async def _update_trainer(self, speaker: Speaker, status: Any = None, *_: Any) -> None:
        report = TrainerStatusPayload.read(status).to_type()
        is_news = await hearing.hear_trainer(self._workspaces, speaker.account, report)
        speaker.bind(report.id)
        if is_news:
            self._on_report()

    async def _update_training(
        self,
        speaker: Speaker,
        organization: Any = "",
        project: Any = "",
        report: Any = None,
        *_: Any,
    ) -> dict[str, str]:
        read = TrainingProgressPayload.read(report)
        async with self._workspaces.write(speaker.account) as workspace:
            model = await progress.heard_progress(workspace, str(organization), str(project), read)
        return {"model_uuid": model.id}

    async def _update_epoch(
        self,
        speaker: Speaker,
        organization: Any = "",
        project: Any = "",
        report: Any = None,
        *_: Any,
    ) -> None:
        read = EpochReportPayload.read(report)
        async with self._workspaces.write(speaker.account) as workspace:
            await progress.heard_epoch(workspace, str(organization), str(project), read)

    async def _update_log(
        self,
        speaker: Speaker,
        organization: Any = "",
        project: Any = "",
        report: Any = None,
        *_: Any,
    ) -> None:
        read = LogReportPayload.read(report)
        async with self._workspaces.write(speaker.account) as workspace:
            await progress.heard_log(workspace, str(organization), str(project), read)

    async def _update_detector(
        self,
        speaker: Speaker,
        organization: Any = "",
        project: Any = "",
        status: Any = None,
        *_: Any,
    ) -> dict[str, str] | None:
        """Detectors before 0.16 learn their target from the answer; null where there is none."""
        report = DetectorStatusPayload.read(status).to_type()
        async with self._workspaces.read(speaker.caller) as workspace:
            found = await projects.by_names(
                workspace,
                str(organization or speaker.organization),
                name=str(project or speaker.project),
                right=Right.REPORT_DETECTOR,
            )
            try:
                target = await deployments.target(workspace, found)
            except NotFound:
                target = None
        await hearing.hear_detector(self._workspaces, speaker.caller, found, report)
        speaker.bind(report.id)
        if target is None:
            return None
        return announced_target_to_json(DeploymentTarget(target.model_id, target.version))

    async def _update_annotation_node(self, speaker: Speaker, status: Any = None, *_: Any) -> None:
        report = AnnotatorStatusPayload.read(status).to_type()
        await hearing.hear_annotator(self._workspaces, speaker.account, report)
        speaker.bind(report.id)

    async def _update_segmentation_annotation(
        self, speaker: Speaker, organization: Any = "", project: Any = "", made: Any = None, *_: Any
    ) -> None:
        read = SegmentationReportPayload.read(made)
        async with self._workspaces.write(speaker.account) as workspace:
            found = await projects.by_names(
                workspace, str(organization), name=str(project), right=Right.ANNOTATE
            )
            await annotating.put_segmentation(
                workspace, found, image_id=read.image_id, made=read.to_type()
            )
