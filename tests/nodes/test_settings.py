"""The settings of nodes."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from edgeloop.client import ClientSettings
from edgeloop.errors import ConfigError
from edgeloop.nodes.settings import (
    DetectorSettings,
    TrainerSettings,
    settings_from_environment,
)


def test_the_documented_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIN_UNCERTAIN_THRESHOLD", "0.2")
    monkeypatch.setenv("MAX_UNCERTAIN_THRESHOLD", "0.7")
    monkeypatch.setenv("VERSION_CONTROL_DEFAULT", "PAUSE")
    monkeypatch.setenv("USE_BACKDOOR_CONTROLS", "1")
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("NODE_VERSION", "7.1")
    settings = DetectorSettings()
    assert settings.min_uncertain_threshold == 0.2
    assert settings.max_uncertain_threshold == 0.7
    assert settings.version_control_default == "pause"
    assert settings.use_backdoor_controls
    assert settings.folder == tmp_path
    assert settings.version == "7.1"


def test_a_trainer_reads_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_BATCH_SIZE", "3")
    monkeypatch.setenv("RESTART_AFTER_TRAINING", "1")
    monkeypatch.setenv("KEEP_OLD_TRAININGS", "1")
    monkeypatch.setenv("TRAINER_IDLE_TIMEOUT_SEC", "60")
    settings = TrainerSettings()
    assert settings.inference_batch_size == 3
    assert settings.restart_after_training
    assert settings.keep_old_trainings
    assert settings.idle_timeout_s == 60


def test_the_address_of_the_loop_is_not_the_address_of_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOST", "learning-loop.ai")
    assert DetectorSettings().host == "127.0.0.1"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIN_UNCERTAIN_THRESHOLD", "")
    assert DetectorSettings().min_uncertain_threshold == 0.3


def test_the_data_folder_follows_the_name() -> None:
    assert DetectorSettings(name="left arm").folder.name == "left arm"


def test_a_name_that_leaves_the_data_folder_is_refused() -> None:
    with pytest.raises(ValidationError, match="name"):
        DetectorSettings(name="../other")


def test_an_upside_down_band_is_refused() -> None:
    with pytest.raises(ValidationError, match="MIN_UNCERTAIN_THRESHOLD"):
        DetectorSettings(min_uncertain_threshold=0.9)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NODE_PORT", "abc", "NODE_PORT is wrong"),
        ("NODE_NAME", "bad/name", "NODE_NAME is wrong"),
        ("VERSION_CONTROL_DEFAULT", "never", "VERSION_CONTROL_DEFAULT is wrong"),
        ("MIN_UNCERTAIN_THRESHOLD", "0.9", "MIN_UNCERTAIN_THRESHOLD is above"),
    ],
)
def test_a_wrong_variable_is_named_as_it_is_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=sentence):
        settings_from_environment(DetectorSettings)


def test_what_the_environment_says_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_PORT", "7")
    monkeypatch.setenv("LOOP_HOST", "loop:9")
    assert settings_from_environment(TrainerSettings).port == 7
    assert settings_from_environment(ClientSettings).host == "loop:9"
