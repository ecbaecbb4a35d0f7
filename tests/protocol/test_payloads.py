"""JSON of the wire <-> values."""

from typing import Any

import pytest

from edgeloop.errors import InputError
from edgeloop.protocol.payloads.annotations import annotations_to_json, read_annotations
from edgeloop.protocol.payloads.categories import CategoryPayload, category_to_json
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.protocol.payloads.images import (
    image_metadata_to_json,
    image_record_to_json,
    read_image_metadata,
    read_image_record,
)
from edgeloop.protocol.payloads.models import model_information_to_json, read_model_information
from edgeloop.protocol.payloads.nodes import (
    AcknowledgementPayload,
    AnnotatorStatusPayload,
    DetectorStatusPayload,
    TrainerStatusPayload,
    acknowledgement,
    detector_status_to_json,
    trainer_status_to_json,
)
from edgeloop.protocol.payloads.parsing import Payload
from edgeloop.protocol.payloads.trainings import (
    TrainingOrder,
    read_training_order,
    training_order_to_json,
)
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    Category,
    ClassificationDetection,
    Detections,
    DetectorStatus,
    ImageMetadata,
    ImageRecord,
    ModelInformation,
    OperationMode,
    PointAnnotation,
    PointDetection,
    SegmentationAnnotation,
    SegmentationDetection,
    TrainerState,
    TrainerStatus,
)

DETECTIONS = Detections(
    boxes=(BoxDetection("a", "bolt", 1, 2, 3, 4, 0.5, "1.0"),),
    points=(PointDetection("b", "tip", 5, 6, 0.25, "1.0"),),
    segmentations=(SegmentationDetection("c", "area", ((1, 2), (3, 4), (5, 6)), 0.75, "1.0"),),
    classifications=(ClassificationDetection("d", "scene", 1.0, "1.0"),),
)
REPORTS = (DetectorStatusPayload, TrainerStatusPayload, AnnotatorStatusPayload)
ANNOTATIONS = Annotations(
    boxes=(BoxAnnotation("a", 1, 2, 3, 4),),
    points=(PointAnnotation("b", 5, 6),),
    segmentations=(SegmentationAnnotation("c", ((1, 2), (3, 4))),),
    classification="d",
)


def test_a_category_survives_the_wire() -> None:
    category = Category("1", "bolt", "point", "#123456", "a part", "b", 12)
    assert CategoryPayload.read(category_to_json(category)).to_type() == category


def test_a_category_of_nulls_gets_defaults() -> None:
    value = {"id": "1", "name": "x", "color": None, "description": None, "type": None}
    assert CategoryPayload.read(value).to_type() == Category("1", "x")


def test_a_category_without_name_is_refused_by_field() -> None:
    with pytest.raises(InputError, match="name is wrong"):
        CategoryPayload.read({"id": "1"})


@pytest.mark.parametrize("shapes", ["points", "text"])
def test_detections_survive_the_wire(shapes: Any) -> None:
    assert read_detections(detections_to_json(DETECTIONS, shapes=shapes)) == DETECTIONS


def test_detections_travel_in_whole_pixels() -> None:
    detections = Detections(boxes=(BoxDetection("a", "b", 1.6, 2.4, 3.5001, 4.0, 0.5),))
    box = detections_to_json(detections)["box_detections"][0]
    assert [box[key] for key in ("x", "y", "width", "height")] == [2, 2, 4, 4]


def test_percent_become_fractions() -> None:
    value = {"classification_detections": [{"category_name": "x", "confidence": 87}]}
    assert read_detections(value).classifications[0].confidence == 0.87


def test_a_broken_polygon_is_refused() -> None:
    value = {"segmentation_detections": [{"shape": "1,2,3", "confidence": 1}]}
    with pytest.raises(InputError, match="segmentation_detections"):
        read_detections(value)


@pytest.mark.parametrize("shape", ["1,2,3", "a,b"])
def test_a_flat_shape_that_is_none_is_refused_with_what_it_should_be(shape: str) -> None:
    with pytest.raises(InputError, match=r"\(a shape needs pairs of numbers: x1,y1,x2,y2,\.\.\.\)"):
        read_detections({"segmentation_detections": [{"shape": shape, "confidence": 1}]})


def test_annotations_survive_the_wire() -> None:
    assert read_annotations(annotations_to_json(ANNOTATIONS)) == ANNOTATIONS


def test_an_annotation_without_id_is_found_by_its_name() -> None:
    value = {
        "box_annotations": [{"category_name": "bolt", "x": 0, "y": 0, "width": 1, "height": 1}]
    }
    assert read_annotations(value, {"bolt": "a"}).boxes[0].category_id == "a"
    assert read_annotations(value, {}).boxes == ()


def test_upload_metadata_survive_the_wire() -> None:
    metadata = ImageMetadata(
        "frame", DETECTIONS, ANNOTATIONS, ("t",), "cam", "2026-01-01", "left", "trash", "test"
    )
    assert read_image_metadata(image_metadata_to_json(metadata)) == metadata


def test_the_old_name_of_created_is_understood() -> None:
    assert read_image_metadata({"date": "2021-01-01"}).created == "2021-01-01"


def test_an_unknown_state_counts_as_none() -> None:
    assert read_image_metadata({"state": "somewhere"}).state is None


def test_an_image_record_survives_the_wire() -> None:
    record = ImageRecord("i", "train", 64, 48, ANNOTATIONS, "complete", "f", ("t",), "s", "c")
    assert read_image_record(image_record_to_json(record)) == record


def test_tags_with_ids_are_read_by_name() -> None:
    value = image_record_to_json(ImageRecord("i", "train", 1, 1))
    assert read_image_record(value | {"tags": [{"id": "1", "name": "t"}]}).tags == ("t",)


def test_model_information_survives_the_wire() -> None:
    info = ModelInformation("i", "o", "p", "1.0", (Category("a", "b"),), "h", "onnx", 320, "s", 0.4)
    assert read_model_information(model_information_to_json(info)) == info


def test_a_training_order_survives_the_wire() -> None:
    order = TrainingOrder("o", "p", 3, (Category("a", "b"),), {"resolution": 320}, "s", None)
    assert read_training_order("o", "p", training_order_to_json(order)) == order


def test_a_training_order_is_understood_by_the_oldest_trainers() -> None:
    order = TrainingOrder("o", "p", 3, (), {"resolution": 320, "flip_rl": True}, "s", "uuid")
    details = training_order_to_json(order)
    assert (details["id"], details["resolution"], details["flip_rl"]) == ("uuid", 320, True)


def test_a_detector_status_survives_the_wire() -> None:
    status = DetectorStatus(
        "i", "n", "onnx", OperationMode.DETECTING, 1.5, "online", "1.0", "1.1", {"a": "b"}, "v", 7
    )
    assert DetectorStatusPayload.read(detector_status_to_json(status)).to_type() == status


@pytest.mark.parametrize("number", [-1.0, 1e300, float("inf"), float("nan")])
def test_an_absurd_uptime_or_progress_counts_as_none(number: float) -> None:
    detector = DetectorStatusPayload.read({"uuid": "d", "uptime": number}).to_type()
    assert detector.uptime_s == 0
    report = {"id": "t", "state": "running", "uptime": number, "progress": number}
    trainer = TrainerStatusPayload.read(report).to_type()
    assert (trainer.uptime_s, trainer.progress) == (None, None)


def test_a_trainer_status_survives_the_wire() -> None:
    status = TrainerStatus(
        "i",
        "n",
        TrainerState.RUNNING,
        {"a": "b"},
        2.0,
        0.5,
        (("s", "S", "small"),),
        "net",
        "o",
        "p",
        "torch",
        3,
        ("torch", "onnx"),
        "edgeloop 1",
    )
    assert TrainerStatusPayload.read(trainer_status_to_json(status)).to_type() == status


@pytest.mark.parametrize("payload", REPORTS)
@pytest.mark.parametrize("id_", ["", ".", "..", "a/b", "a\nb", "\0", "x" * 101])
def test_an_id_that_leads_nowhere_is_refused_with_what_it_may_be(
    payload: type[Payload], id_: str
) -> None:
    with pytest.raises(InputError, match="an id has 1 to 100 characters, no /"):
        payload.read({"id": id_, "state": "idle"})


@pytest.mark.parametrize("payload", REPORTS)
@pytest.mark.parametrize(
    "id_", ["85ef1a58-308d-4c80-8931-43d1f752f4f2", "Presse 7, süd", "x" * 100]
)
def test_all_other_ids_are_taken(payload: type[Payload], id_: str) -> None:
    report = payload.read({"id": id_, "state": "idle"}).model_dump()
    assert id_ in (report.get("id"), report.get("uuid"))


@pytest.mark.parametrize("payload", REPORTS)
def test_of_a_report_so_much_is_kept_that_it_fills_nothing(payload: type[Payload]) -> None:
    long = "y" * 10_000
    words = dict.fromkeys(("name", "state", "model_format", "current_model", "node_version"), long)
    words |= dict.fromkeys(("target_model", "operation_mode", "architecture"), long)
    lists = dict.fromkeys(("formats", "capabilities"), [long] * 1000)
    errors = {f"{place}{long}": long for place in range(1000)}
    context = {"organization": long, "project": long}
    report = {"id": "d", **words, **lists, "errors": errors, "context": context}
    kept = payload.read(report).model_dump()
    assert len(kept["errors"]) == 20
    assert kept["errors"]["0" + "y" * 199] == "y" * 4000
    assert kept["name"] == "y" * 200
    assert len(str(kept)) < 100_000


def test_an_idle_trainer_has_no_project() -> None:
    value = trainer_status_to_json(TrainerStatus("i", "n", TrainerState.IDLE))
    assert value["context"] is None
    assert TrainerStatusPayload.read(value).to_type().project is None


def test_a_refusal_carries_its_reason() -> None:
    answer = AcknowledgementPayload.read(acknowledgement(success=False, error="busy"))
    assert (answer.success, answer.error_msg) == (False, "busy")
