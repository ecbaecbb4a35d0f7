"""Any sequence of inserts, updates, cut wires and restarts: every transition arrives once."""

import contextlib
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edgeloop.errors import StreamError
from edgeloop.stream import QueuedDataStore, ReplayBuffer, TrainerClient
from streams import WAIT_S, in_thread
from trainers import FAR, NAME, Proxy, client_of, numbers, serve_store
from transitions import transitions


class Lives(RuleBasedStateMachine):
    """Two actors and a trainer, with a proxy between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.snapshot = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "snapshot"
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

    @rule(actor=st.integers(0, 1), count=st.integers(1, 150))
    def insert(self, actor: int, count: int) -> None:
        items = transitions(self.count, count)
        self.stores[actor].insert_batch(items)
        self.held[actor] += range(self.count, self.count + count)
        self.count += count

    @rule(actor=st.integers(0, 1))
    def update_one(self, actor: int) -> None:
        self.update(actor)

    @rule(actor=st.integers(0, 1))
    def update_at_once(self, actor: int) -> None:
        outcomes = [in_thread(lambda: self.update(actor)) for _ in range(3)]
        for outcome in outcomes:
            outcome.result()

    @rule(actor=st.integers(0, 1))
    def lose_a_reply(self, actor: int) -> None:
        self.proxy.cut_next_reply()
        self.update(actor)

    @rule()
    def cut(self) -> None:
        self.proxy.cut()

    @rule(actor=st.integers(0, 1))
    def restart_the_client(self, actor: int) -> None:
        self.clients[actor].close()
        self.clients[actor] = self.connect(self.stores[actor])

    @rule(actor=st.integers(0, 1))
    def restart_the_actor(self, actor: int) -> None:
        """What it had not sent is lost with it."""
        self.clients[actor].close()
        self.stores[actor] = QueuedDataStore(100_000)
        self.held[actor] = []
        self.clients[actor] = self.connect(self.stores[actor])

    @precondition(lambda self: len(self.buffer) > 0)
    @rule()
    def save(self) -> None:
        self.buffer.save(self.snapshot)

    @rule()
    def restart_the_server(self) -> None:
        self.serve(self.buffer)

    @rule()
    def restart_the_server_empty(self) -> None:
        self.serve(ReplayBuffer(capacity=100_000))

    @precondition(lambda self: self.snapshot.exists())
    @rule()
    def restore_the_server(self) -> None:
        self.serve(ReplayBuffer.restore(self.snapshot))

    @rule()
    def replace_the_store(self) -> None:
        self.buffer = ReplayBuffer(capacity=100_000)
        self.server.register_data_store(NAME, self.buffer)

    @rule()
    def settle(self) -> None:
        """All that is held arrives, in its order."""
        for actor in (0, 1):
            self.update(actor)
            mine = set(self.held[actor])
            assert [n for n in numbers(self.server) if n in mine] == self.held[actor]

    @invariant()
    def nothing_is_there_twice(self) -> None:
        there = numbers(self.server)
        assert len(set(there)) == len(there)

    def teardown(self) -> None:
        self.settle()
        for client in self.clients:
            client.close()
        self.server.close()
        self.stack.close()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
