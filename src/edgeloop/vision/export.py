"""A trained network -> the files of a model: weights for further training, ONNX for the edge."""

import copy
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from edgeloop import durable
from edgeloop.errors import TrainingFailed
from edgeloop.vision.letterbox import PADDING
from edgeloop.vision.network import CompactNetwork, PeakDetector

WEIGHTS, GRAPH = "model.pt", "model.onnx"
OPSET = 17


@dataclass(frozen=True, slots=True)
class Architecture:
    """What makes a network of weights: its variant, input (width, height) and category ids in
    the order of its classes."""

    variant: str
    width_factor: float
    size: tuple[int, int]
    category_ids: tuple[str, ...]

    def network(self) -> CompactNetwork:
        """A fresh network."""
        return CompactNetwork(len(self.category_ids), self.width_factor)


def export(network: CompactNetwork, of: Architecture, folder: Path) -> dict[str, list[Path]]:
    """Write the model's files into ``folder``, all or none; answers them by format."""
    with durable.draft_of(folder) as draft:
        draft.mkdir()
        write_weights(network, of, draft / WEIGHTS)
        write_onnx(network, of.size, draft / GRAPH, category_ids=of.category_ids)
    return files_in(folder)


def files_in(folder: Path) -> dict[str, list[Path]]:
    """The model's files in ``folder``, by format."""
    return {"torch": [folder / WEIGHTS], "onnx": [folder / GRAPH]}


def write_weights(network: CompactNetwork, of: Architecture, path: Path) -> None:
    """Weights with their architecture: plain values and tensors, no code."""
    state = {
        "variant": of.variant,
        "width_factor": of.width_factor,
        "size": list(of.size),
        "category_ids": list(of.category_ids),
        "network": {name: value.cpu() for name, value in network.state_dict().items()},
    }
    torch.save(state, path)


def read_weights(path: Path) -> tuple[Architecture, dict[str, Any]]:
    """What ``write_weights`` wrote; raises TrainingFailed where it is something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = Architecture(
            state["variant"],
            float(state["width_factor"]),
            (int(state["size"][0]), int(state["size"][1])),
            tuple(state["category_ids"]),
        )
        return found, state["network"]
    except Exception as error:  # a damaged file fails in as many ways as it has bytes
        message = f"The base model's {path.name} holds no weights of this network ({error})."
        raise TrainingFailed(message) from error


def write_onnx(
    network: CompactNetwork, size: tuple[int, int], path: Path, *, category_ids: Sequence[str]
) -> None:
    """ONNX with the peaks picked in the graph.

    ``image`` (b, height, width, 3) uint8 RGB -> ``boxes`` (b, n, 4) left, top, right, bottom in
    pixels of the input, ``scores`` (b, n), ``labels`` (b, n), the surest first; b is free.
    The file says which category each label is (``categories``, a JSON list of ids) and the grey
    that images are padded with (``padding``).
    """
    # A fresh wrapper is in training mode, and the exporter puts back the mode it found.
    detector = PeakDetector(copy.deepcopy(network).cpu()).eval()
    image = torch.zeros((1, size[1], size[0], 3), dtype=torch.uint8)
    outputs = ["boxes", "scores", "labels"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notices to its own developers
        torch.onnx.export(
            detector,
            (image,),
            str(path),
            dynamo=False,  # ten times as fast, and one file
            opset_version=OPSET,
            input_names=["image"],
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in ("image", *outputs)},
        )
    model = onnx.load(path)
    facts = {"categories": json.dumps(list(category_ids)), "padding": str(PADDING)}
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, path)
