"""``edgeloop detector`` and ``edgeloop trainer``: the nodes that ship."""

from edgeloop.cli.flags import command_of
from edgeloop.cli.options import needs_extra
from edgeloop.client import ClientSettings
from edgeloop.nodes.settings import DetectorSettings, TrainerSettings


def run_detector(node: DetectorSettings, client: ClientSettings) -> None:
    """Run the ONNX detector that ships: serve images, upload uncertain ones, follow the loop."""
    with needs_extra("onnx"):
        import onnxruntime  # noqa: F401 - missing now rather than at the first model

        from edgeloop.vision import OnnxDetector
    from edgeloop.nodes.detector import DetectorNode

    DetectorNode(OnnxDetector, settings=node, client_settings=client).run()


def run_trainer(node: TrainerSettings, client: ClientSettings) -> None:
    """Run the trainer that ships: wait for trainings of the loop and do them."""
    with needs_extra("torch"):
        import torch  # noqa: F401 - missing now rather than in the middle of a training

        from edgeloop.vision import CompactTrainer
    from edgeloop.nodes.trainer import TrainerNode

    TrainerNode(CompactTrainer, settings=node, client_settings=client).run()


detector = command_of(run_detector, {"node": DetectorSettings, "client": ClientSettings})
trainer = command_of(run_trainer, {"node": TrainerSettings, "client": ClientSettings})
