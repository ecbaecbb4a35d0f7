"""Any sequence of inserts, updates, cut wires and restarts: every transition arrives once."""

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeloop.errors import StreamError
from edgeloop.stream import QueuedDataStore, ReplayBuffer, TrainerClient
from streams import WAIT_S, in_thread
from trainers import FAR, NAME, Proxy, client_of, numbers, serve_store
from transitions import transitions


class Lives:
    """Two actors and a trainer, with a proxy between them."""

    def __init__(self, snapshot: Path, chance: random.Random) -> None:
        self.stack = contextlib.ExitStack()
        self.snapshot = snapshot
        self.chance = chance
        self.count = 0
        self.buffer = ReplayBuffer(capacity=100_000)
        self.server = serve_store("tcp://127.0.0.1:0", self.buffer, limits=FAR)
        self.proxy = self.stack.enter_context(Proxy(self.server.url))
        self.stores = [QueuedDataStore(100_000), QueuedDataStore(100_000)]
        self.held: list[list[int]] = [[], []]
        self.clients = [self.connect(store) for store in self.stores]

    def connect(self, store: QueuedDataStore) -> TrainerClient:
        return client_of(self.proxy.url, store, limits=FAR, wait_for_server_s=WAIT_S)

    def serve(self, buffer: ReplayBuffer) -> None:
        self.server.close()
        self.buffer = buffer
        self.server = serve_store("tcp://127.0.0.1:0", buffer, limits=FAR)
        self.proxy.target = self.server.url
        self.proxy.cut()

    def update(self, actor: int) -> None:
        for _ in range(20):  # a lost connection shows at the next use
            with contextlib.suppress(StreamError):
                self.clients[actor].update()
                return
        raise AssertionError("no update got through")

    def insert(self, actor: int, count: int) -> None:
        items = transitions(self.count, count)
        self.stores[actor].insert_batch(items)
        self.held[actor] += range(self.count, self.count + count)
        self.count += count

    def update_at_once(self, actor: int) -> None:
        outcomes = [in_thread(lambda: self.update(actor)) for _ in range(3)]
        for outcome in outcomes:
            outcome.result()

    def lose_a_reply(self, actor: int) -> None:
        self.proxy.cut_next_reply()
        self.update(actor)

    def restart_the_client(self, actor: int) -> None:
        self.clients[actor].close()
        self.clients[actor] = self.connect(self.stores[actor])

    def restart_the_actor(self, actor: int) -> None:
        """What it had not sent is lost with it."""
        self.stores[actor] = QueuedDataStore(100_000)
        self.held[actor] = []
        self.restart_the_client(actor)

    def save(self) -> None:
        if len(self.buffer):
            self.buffer.save(self.snapshot)

    def restore_the_server(self) -> None:
        if self.snapshot.exists():
            self.serve(ReplayBuffer.restore(self.snapshot))

    def replace_the_store(self) -> None:
        self.buffer = ReplayBuffer(capacity=100_000)
        self.server.register_data_store(NAME, self.buffer)

    def act(self) -> None:
        """Anything that can happen."""
        actor = self.chance.randrange(2)
        if self.chance.random() < 0.7:
            self.insert(actor, self.chance.randrange(150))
        happens: list[Callable[[], None]] = [
            *[lambda: self.update(actor)] * 4,
            lambda: self.update_at_once(actor),
            lambda: self.lose_a_reply(actor),
            self.proxy.cut,
            lambda: self.restart_the_client(actor),
            lambda: self.restart_the_actor(actor),
            self.save,
            lambda: self.serve(self.buffer),
            lambda: self.serve(ReplayBuffer(capacity=100_000)),
            self.restore_the_server,
            self.replace_the_store,
        ]
        self.chance.choice(happens)()

    def check(self) -> None:
        """Nothing is there twice; all that is held arrives, in its order."""
        there = numbers(self.server)
        assert len(set(there)) == len(there)
        for actor in (0, 1):
            self.update(actor)
            mine = set(self.held[actor])
            assert [n for n in numbers(self.server) if n in mine] == self.held[actor]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()
        self.stack.close()


def live(snapshot: Path, seed: int, steps: int) -> None:
    """A life of so many events, looked at now and then."""
    lives = Lives(snapshot, random.Random(seed))
    with contextlib.closing(lives):
        for step in range(steps):
            lives.act()
            if step % 10 == 9:
                lives.check()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_every_transition_arrives_once(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "snapshot", seed, 60)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(4, 24))
def test_whatever_happens_for_long_every_transition_arrives_once(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "snapshot", seed, 300)
