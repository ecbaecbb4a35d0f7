"""What learners import."""

import subprocess
import sys

import pytest

import edgeloop.rl


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nobody'"):
        edgeloop.rl.nobody  # noqa: B018 - asking is the test


def test_the_names_are_there_to_be_completed() -> None:
    assert dir(edgeloop.rl) == edgeloop.rl.__all__


def test_a_missing_learner_is_one_sentence_that_names_the_extra() -> None:
    program = """
import sys
sys.modules["stable_baselines3"] = None
from edgeloop.errors import ConfigError
try:
    from edgeloop.rl import learner_on
except ConfigError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.endswith(" is not installed: pip install 'edgeloop[rl]'.\n")
