"""The published clients, each version unmodified in a virtual environment of its own."""

from pathlib import Path

from environments import FOLDER, ROOT, python_with

__all__ = ["FOLDER", "ROOT", "VERSIONS", "python_of"]

VERSIONS = ("0.11.1", "0.27.0")


def python_of(version: str) -> Path:
    """The interpreter that imports this version of ``learning_loop_node``, installed if need be.

    What was installed stays for the next run, until its constraints change. Raises ConfigError.
    """
    pins = Path(__file__).parent / "constraints" / f"{version}.txt"
    return python_with(version, [f"learning-loop-node=={version}"], pins)
