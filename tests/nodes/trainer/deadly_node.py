"""A trainer node as a script; it dies (SIGKILL) when a stage's work is done but not remembered.

Arguments: URL of the loop, password, data folder, stage (or "none"). Dies once per folder.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from edgeloop.client import ClientSettings
from edgeloop.nodes import TrainerNode
from edgeloop.nodes.settings import TrainerSettings
from edgeloop.nodes.trainer.job import TrainingJob
from edgeloop.nodes.trainer.node import desk
from edgeloop.nodes.trainer.stages import Stage, Workbench, training_stages
from nodes.trainer.scripted import ScriptedTrainer

URL, PASSWORD, FOLDER, DEADLY = sys.argv[1:]


class OwnTrainer(ScriptedTrainer):
    """Defined in the script itself, as users do it."""


def deadly(stage: Stage) -> Stage:
    """The same stage; the node does not live to remember that it is done."""

    async def run(job: TrainingJob) -> TrainingJob:
        done = await stage.run(job)
        mark = Path(FOLDER) / f"{stage.name}.mark"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return replace(stage, run=run)


def deadly_stages(bench: Workbench) -> tuple[Stage, ...]:
    """All stages, one of them deadly."""
    stages = training_stages(bench)
    return tuple(deadly(stage) if stage.name == DEADLY else stage for stage in stages)


if __name__ == "__main__":
    vars(desk)["training_stages"] = deadly_stages
    TrainerNode(
        OwnTrainer,
        TrainerSettings(port=0, data_folder=Path(FOLDER)),
        client_settings=ClientSettings(host=URL, username="admin", password=SecretStr(PASSWORD)),
    ).run()
