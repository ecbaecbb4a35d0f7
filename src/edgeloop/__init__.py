"""edgeloop closes the learning loop between machines in the field and the models they run."""

from edgeloop.errors import EdgeloopError
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    Category,
    CategoryCounts,
    ClassificationDetection,
    Dataset,
    DatasetImage,
    Detections,
    Epoch,
    Frame,
    ImageRecord,
    LocalModel,
    ModelInformation,
    PointAnnotation,
    PointDetection,
    SegmentationAnnotation,
    SegmentationDetection,
    TrainingTask,
)

__version__ = "0.1.0"

__all__ = [
    "Annotations",
    "BoxAnnotation",
    "BoxDetection",
    "Category",
    "CategoryCounts",
    "ClassificationDetection",
    "Dataset",
    "DatasetImage",
    "Detections",
    "EdgeloopError",
    "Epoch",
    "Frame",
    "ImageRecord",
    "LocalModel",
    "ModelInformation",
    "PointAnnotation",
    "PointDetection",
    "SegmentationAnnotation",
    "SegmentationDetection",
    "TrainingTask",
    "__version__",
]
