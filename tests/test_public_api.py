"""What users import is there, and costs no more than it must."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from edgeloop.client.settings import ClientSettings, StreamSettings
from edgeloop.loop import LoopSettings, create_app
from edgeloop.nodes.settings import DetectorSettings, TrainerSettings

ROOT = Path(__file__).parent.parent
PACKAGES = [
    "edgeloop",
    "edgeloop.client",
    "edgeloop.compat.agentlace",
    "edgeloop.loop",
    "edgeloop.nodes",
    "edgeloop.rl",
    "edgeloop.stream",
    "edgeloop.vision",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("edgeloop", ["torch", "onnxruntime", "fastapi", "sqlalchemy", "socketio", "cv2"]),
        ("edgeloop.nodes", ["torch", "onnxruntime", "sqlalchemy", "nicegui"]),
        ("edgeloop.client", ["torch", "onnxruntime", "sqlalchemy", "nicegui"]),
        ("edgeloop.stream", ["fastapi", "httpx", "pydantic", "gymnasium", "grpc", "zmq", "torch"]),
        ("edgeloop.rl", ["gymnasium", "stable_baselines3", "torch", "pyarrow", "pydantic"]),
        ("edgeloop.vision", ["torch", "onnxruntime"]),
        ("edgeloop.cli", ["torch", "onnxruntime", "sqlalchemy", "nicegui", "cv2"]),
    ],
)
def test_importing_a_package_loads_nothing_heavy(package: str, heavy: list[str]) -> None:
    program = (
        f"import sys, {package}\nloaded = [m for m in {heavy} if m in sys.modules]\nprint(loaded)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "kind", [ClientSettings, LoopSettings, DetectorSettings, TrainerSettings, StreamSettings]
)
def test_every_setting_is_documented(kind: type[BaseSettings]) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    missing = [name for name in kind.model_fields if f"`--{name.replace('_', '-')}`" not in page]
    assert missing == []


@pytest.mark.parametrize("example", ["own_detector.py", "own_trainer.py"])
def test_the_readme_shows_the_examples_as_they_are(example: str) -> None:
    code = (ROOT / "examples" / example).read_text()
    shown = (ROOT / "README.md").read_text()
    assert f"<!-- examples/{example} -->\n```python\n{code}```" in shown


def test_every_route_of_the_loop_is_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    paths = create_app(LoopSettings(data_folder=tmp_path)).openapi()["paths"]
    assert [path for path in paths if f"`{path}`" not in page] == []
