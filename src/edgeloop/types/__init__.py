"""Values that travel through edgeloop: frozen, no I/O, no framework."""

from edgeloop.types.annotations import (
    Annotations,
    BoxAnnotation,
    PointAnnotation,
    SegmentationAnnotation,
)
from edgeloop.types.categories import (
    DEFAULT_COLOR,
    Category,
    CategoryType,
)
from edgeloop.types.detections import (
    AnyDetection,
    BoxDetection,
    ClassificationDetection,
    Detections,
    PointDetection,
    SegmentationDetection,
)
from edgeloop.types.images import (
    Frame,
    ImageArray,
    ImageMetadata,
    ImageRecord,
    ImageState,
    Split,
    UploadWish,
    new_frame_id,
)
from edgeloop.types.inputs import (
    UserEvent,
    UserInput,
)
from edgeloop.types.models import (
    LocalModel,
    ModelInformation,
)
from edgeloop.types.nodes import (
    AnnotatorStatus,
    DeploymentTarget,
    DetectorStatus,
    NodeKind,
    OperationMode,
    TrainerState,
    TrainerStatus,
)
from edgeloop.types.roles import (
    ROLES,
    SCOPES,
    Role,
    Scope,
)
from edgeloop.types.trainings import (
    CategoryCounts,
    Dataset,
    DatasetImage,
    Epoch,
    TrainingTask,
)

__all__ = [
    "DEFAULT_COLOR",
    "ROLES",
    "SCOPES",
    "Annotations",
    "AnnotatorStatus",
    "AnyDetection",
    "BoxAnnotation",
    "BoxDetection",
    "Category",
    "CategoryCounts",
    "CategoryType",
    "ClassificationDetection",
    "Dataset",
    "DatasetImage",
    "DeploymentTarget",
    "Detections",
    "DetectorStatus",
    "Epoch",
    "Frame",
    "ImageArray",
    "ImageMetadata",
    "ImageRecord",
    "ImageState",
    "LocalModel",
    "ModelInformation",
    "NodeKind",
    "OperationMode",
    "PointAnnotation",
    "PointDetection",
    "Role",
    "Scope",
    "SegmentationAnnotation",
    "SegmentationDetection",
    "Split",
    "TrainerState",
    "TrainerStatus",
    "TrainingTask",
    "UploadWish",
    "UserEvent",
    "UserInput",
    "new_frame_id",
]
