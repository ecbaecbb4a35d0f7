"""Published trainers of all ages: what each makes of the loop's commands."""

import asyncio
from pathlib import Path

import pytest

from edgeloop.errors import NotFound, Unprocessable
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.protocol import events
from fleets import loop_in_hand


def test_a_trainer_that_can_only_stop_finds_no_place_for_the_model_of_an_aborted_training(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with loop_in_hand(tmp_path) as loop:
            dispatcher = Dispatcher(loop.workspaces)
            loop.fleet.answers[events.ABORT_TRAINING] = Unprocessable("unknown")
            training_id = await loop.begin()
            await loop.hear("idle")
            await dispatcher.look()
            await loop.hear("running")
            await loop.abort(training_id)
            await dispatcher.look()
            assert loop.fleet.commands()[-1] == ("t1", events.STOP_TRAINING)
            await loop.hear("train_model_uploading")
            with pytest.raises(NotFound, match="was aborted"):
                await loop.upload()
            await loop.hear("idle")
            await dispatcher.look()
            assert (await loop.training(training_id)).state == "aborted"

    asyncio.run(story())
