"""agentlace.trainer: every item arrives, and once, whichever side starts again."""

from compat.material import SOON_MS, TIMEOUT_MS, actor, filled, held, learner, running
from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from edgeloop.compat.agentlace.trainer import TrainerConfig, TrainerServer
from streams import in_thread


def test_an_update_that_got_lost_is_false_and_made_up_for() -> None:
    with running(learner("a")) as server:
        store = filled(1)
        client = actor(server, store)
    store.insert(2)
    client.req_rep_client.timeout_ms = SOON_MS
    assert client.update() is False
    client.req_rep_client.timeout_ms = TIMEOUT_MS
    with running(server):
        assert client.update() is True
        assert held(server) == [1, 2]


def test_the_clients_of_one_store_lose_nothing() -> None:
    with running(learner("a")) as server:
        for first in (0, 100):
            assert actor(server, filled(*range(first, first + 60))).update()
        assert held(server) == [*range(60), *range(100, 160)]


def test_a_client_that_starts_again_loses_nothing() -> None:
    with running(learner("a")) as server:
        actor(server, filled(*range(80))).stop()
        actor(server, filled(*range(80, 160))).stop()
        assert held(server) == list(range(160))


def test_a_new_client_goes_on_with_its_old_store() -> None:
    with running(learner("a")) as server:
        store = filled(*range(5))
        actor(server, store)
        store.insert(5)
        actor(server, store)
        assert held(server) == list(range(6))


def test_a_server_that_starts_again_gets_nothing_twice() -> None:
    with running(learner("a")) as server:
        store = filled(*range(100))
        client = actor(server, store)
    with running(server):
        store.insert(100)
        assert client.update()
        assert held(server) == list(range(101))


def test_a_new_server_with_the_old_store_gets_nothing_twice() -> None:
    with running(learner("a")) as server:
        store = filled(*range(100))
        client = actor(server, store)
        kept = server.data_store("a")
    again = TrainerServer(server.config)
    again.register_data_store("a", kept)
    with running(again):
        assert client.update()
        assert held(again) == list(range(100))


def test_updates_at_the_same_time_send_nothing_twice() -> None:
    with running(learner("a")) as server:
        store = filled(*range(300))
        client = actor(server, store)
        client.start_async_update(interval=0.01)
        work = [in_thread(lambda: [client.update() for _ in range(20)]) for _ in range(3)]
        for number in range(300, 600):
            store.insert(number)
        for each in work:
            each.result()
        assert client.update()
        client.stop()
        assert held(server) == list(range(600))


def test_what_is_inserted_during_an_update_is_sent_once() -> None:
    with running(learner("a")) as server:
        store = filled()
        client = actor(server, store)

        def insert() -> None:
            for number in range(5000):
                store.insert(number)

        inserting = in_thread(insert)
        while len(held(server)) < 5000:
            assert client.update()
        inserting.result()
        assert held(server) == list(range(5000))


def test_a_pipeline_port_sends_nothing_twice() -> None:
    config = TrainerConfig(0, experimental_pipeline_port="5547")
    server = TrainerServer(config)
    server.register_data_store("a", QueuedDataStore(100))
    with running(server):
        store = filled(*range(50))
        client = actor(server, store)
        assert client.update()
        assert held(server) == list(range(50))
