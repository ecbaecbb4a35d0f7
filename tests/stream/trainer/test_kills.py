"""Processes of either side are killed outright: every transition arrives once, nothing stays."""

import contextlib
import random
import threading
from pathlib import Path

import numpy as np
import pytest

from edgeloop.errors import StreamError
from edgeloop.stream import QueuedDataStore
from stream.trainer.children import Child, trainer
from streams import WAIT_S
from trainers import client_of, filled
from transitions import transition, transitions

SHARED = Path("/dev/shm")
COUNT = 30_000


def update_until_it_gets_through(client: object) -> None:
    """Again and again, as a robot would."""
    for _ in range(100):
        with contextlib.suppress(StreamError):
            client.update(timeout_s=WAIT_S)  # type: ignore[attr-defined]
            return
    raise AssertionError("no update got through")


def test_a_killed_trainer_with_a_folder_gets_nothing_twice(tmp_path: Path) -> None:
    url, store = f"unix://{tmp_path}/trainer.sock", filled(0, 100)
    first = trainer(url, tmp_path / "store")
    with client_of(url, store) as client:
        assert client.update() == 100
        first.kill()
        store.insert_batch(transitions(100, 50))
        second = trainer(url, tmp_path / "store")
        update_until_it_gets_through(client)
        assert second.numbers() == list(range(150))
        second.kill()


def test_a_killed_trainer_that_begins_anew_gets_all_that_is_still_held(tmp_path: Path) -> None:
    url, store = f"unix://{tmp_path}/trainer.sock", filled(0, 100)
    first = trainer(url)
    with client_of(url, store) as client:
        assert client.update() == 100
        first.kill()
        store.insert(transition(100))
        second = trainer(url)
        update_until_it_gets_through(client)
        assert second.numbers() == list(range(101))
        second.kill()


def test_a_killed_trainer_leaves_no_shared_memory_behind(tmp_path: Path) -> None:
    before = {path.name for path in SHARED.iterdir() if "edgeloop" in path.name}
    child = trainer("tcp://127.0.0.1:0")
    store = QueuedDataStore(100)
    arrived = threading.Event()
    with client_of(child.first_line, store) as client:
        client.recv_network_callback(lambda network: arrived.set())
        assert arrived.wait(WAIT_S)
        store.insert({"rewards": 1.0, "image": np.zeros((500, 500), np.uint8)})
        assert client.update() == 1
        child.kill()
    assert {path.name for path in SHARED.iterdir() if "edgeloop" in path.name} == before


def test_a_killed_actor_goes_on_with_its_folder(tmp_path: Path) -> None:
    child = trainer(f"unix://{tmp_path}/trainer.sock")
    arguments = (child.first_line, tmp_path / "actor", 300, 0)
    first = Child("actor_process.py", *arguments)
    waiting = threading.Event()
    while len(child.numbers()) < 20:
        waiting.wait(0.01)
    first.kill()
    Child("actor_process.py", *arguments).end()
    assert child.numbers() == list(range(300))
    child.kill()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
def test_kills_of_both_sides_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    url = f"unix://{tmp_path}/trainer.sock"
    server = trainer(url, tmp_path / "store")
    actors = [actor(url, tmp_path, number) for number in range(2)]
    pausing, fell = threading.Event(), 0
    while all(one.process.poll() is None for one in actors):
        pausing.wait(chance.random())
        fell += all(one.process.poll() is None for one in actors)
        if chance.random() < 0.5:
            server.kill()
            server = trainer(url, tmp_path / "store")
        else:
            number = chance.randrange(2)
            actors[number].kill()
            actors[number] = actor(url, tmp_path, number)
    for one in actors:
        one.end()
    arrived = server.numbers()
    assert len(arrived) == 2 * COUNT
    for number in range(2):
        mine = [n for n in arrived if n // COUNT == number]
        assert mine == list(range(number * COUNT, (number + 1) * COUNT))
    assert fell >= 3
    server.kill()


def actor(url: str, folder: Path, number: int) -> Child:
    """One of several actors, begun or going on."""
    return Child("actor_process.py", url, folder / f"actor-{number}", COUNT, number * COUNT)
