"""Every transition arrives once: two clients, restarts, lost replies, many threads, limiters."""

import threading
from pathlib import Path

import pytest

from edgeloop.errors import Conflict, StreamClosed, StreamTimeout
from edgeloop.stream import (
    Limiter,
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerServer,
    TrajectoryBuffer,
)
from edgeloop.stream.stores.base import Batch
from streams import WAIT_S, in_thread
from trainers import CONFIG, FAR, NAME, Proxy, client_of, filled, numbers, serve_store
from transitions import numbers_in, transition, transitions

ANY = "tcp://127.0.0.1:0"


def test_two_clients_fill_one_store_with_all_of_both() -> None:
    with serve_store(ANY) as server:
        one, other = filled(0, 60), filled(100, 60)
        with client_of(server.url, one) as first, client_of(server.url, other) as second:
            assert (first.update(), second.update()) == (60, 60)
            one.insert(transition(60))
            assert (first.update(), second.update()) == (1, 0)
        assert sorted(numbers(server)) == [*range(61), *range(100, 160)]


def test_a_client_that_restarts_drops_nothing() -> None:
    with serve_store(ANY) as server:
        for life in range(3):
            with client_of(server.url, filled(80 * life, 80)) as client:
                assert client.update() == 80
        assert numbers(server) == list(range(240))


def test_a_new_client_of_an_old_store_sends_nothing_twice() -> None:
    store = filled(0, 50)
    with serve_store(ANY) as server:
        with client_of(server.url, store) as client:
            assert client.update() == 50
        store.insert(transition(50))
        with client_of(server.url, store) as client:
            assert client.update() == 1
        assert numbers(server) == list(range(51))


def test_a_clients_folder_goes_on_where_its_process_ended(tmp_path: Path) -> None:
    with serve_store(ANY) as server:
        for life in range(3):
            with ReplayBuffer(capacity=100, folder=tmp_path) as store:
                store.insert_batch(transitions(10 * life, 10))
                with client_of(server.url, store) as client:
                    assert client.update() == 10
        assert numbers(server) == list(range(30))


def test_an_old_copy_of_a_clients_folder_is_noticed() -> None:
    store = filled(0, 5)
    with serve_store(ANY) as server, client_of(server.url, store) as client:
        server.data_store(NAME).receive(store.identity, 0, transitions(0, 9))
        with pytest.raises(Conflict, match="has 9 transitions of 'buffer', but only 5"):
            client.update()


def test_an_empty_restarted_server_gets_all_that_the_client_still_holds() -> None:
    store = filled(0, 100, capacity=80)
    first = serve_store(ANY)
    with client_of(first.url, store) as client:
        assert client.update() == 80
        first.close()
        with serve_store(first.url) as second:
            assert client.update() == 80
            store.insert(transition(100))
            assert client.update() == 1
            assert numbers(second) == list(range(20, 101))


def test_news_for_an_empty_restarted_server_come_after_all_that_it_lacks() -> None:
    store = filled(0, 100)
    first = serve_store(ANY)
    with client_of(first.url, store) as client:
        assert client.update() == 100
        first.close()
        store.insert(transition(100))
        with serve_store(first.url) as second:
            assert client.update() == 101
            assert numbers(second) == list(range(101))


def test_a_server_that_restarts_with_its_store_gets_nothing_twice() -> None:
    store, kept = filled(0, 100), ReplayBuffer(capacity=1000)
    first = serve_store(ANY, kept)
    with client_of(first.url, store) as client:
        assert client.update() == 100
        first.close()
        with serve_store(first.url, kept) as second:
            assert client.update() == 0
            store.insert_batch(transitions(100, 5))
            assert client.update() == 5
            assert numbers(second) == list(range(105))


@pytest.mark.parametrize("kind", [ReplayBuffer, TrajectoryBuffer])
def test_a_server_restored_from_a_snapshot_gets_exactly_what_it_lacks(
    kind: type[ReplayBuffer] | type[TrajectoryBuffer], tmp_path: Path
) -> None:
    store, snapshot = filled(0, 50), tmp_path / "snapshot"
    buffer = kind(capacity=1000)
    first = serve_store(ANY, buffer)
    with client_of(first.url, store) as client:
        client.update()
        buffer.save(snapshot)
        store.insert_batch(transitions(50, 30))
        assert client.update() == 30
        first.close()
        with serve_store(first.url, kind.restore(snapshot)) as second:
            assert client.update() == 30
            assert client.update() == 0
            assert numbers(second) == list(range(80))


def test_a_server_that_goes_on_with_its_folder_gets_nothing_twice(tmp_path: Path) -> None:
    store = filled(0, 50)
    with ReplayBuffer(capacity=1000, folder=tmp_path) as buffer:
        first = serve_store(ANY, buffer)
        client = client_of(first.url, store)
        client.update()
        first.close()
    store.insert_batch(transitions(50, 10))
    with (
        ReplayBuffer(capacity=1000, folder=tmp_path) as buffer,
        serve_store(first.url, buffer) as second,
        client,
    ):
        assert client.update() == 10
        assert numbers(second) == list(range(60))


def test_a_store_that_takes_anothers_place_gets_what_it_lacks() -> None:
    store = filled(0, 20)
    with serve_store(ANY) as server, client_of(server.url, store) as client:
        client.update()
        server.register_data_store(NAME, ReplayBuffer(capacity=100))
        assert client.update() == 20
        server.register_data_store(NAME, server.data_store(NAME))
        assert client.update() == 0
        assert numbers(server) == list(range(20))


def test_updates_of_many_threads_send_everything_once() -> None:
    store = filled(0, 300)
    came: list[int] = []

    def note(name: str, batch: Batch) -> None:
        came.extend(numbers_in(batch))

    server = TrainerServer(CONFIG, note, url=ANY)
    server.register_data_store(NAME, ReplayBuffer(capacity=1000))
    with server, client_of(server.url, store) as client:
        client.start_async_update(0.001)
        outcomes = [in_thread(client.update) for _ in range(8)]
        assert sum(outcome.result() for outcome in outcomes) <= 300
        assert client.update() == 0
        assert client.counters()["transitions"] == 300
        assert numbers(server) == came == list(range(300))


def test_two_clients_with_one_store_send_everything_once() -> None:
    store = filled(0, 3000)
    with (
        serve_store(ANY) as server,
        client_of(server.url, store) as one,
        client_of(server.url, store) as other,
    ):
        outcomes = [in_thread(client.update) for client in (one, other) * 3]
        for outcome in outcomes:
            outcome.result()
        assert numbers(server) == list(range(3000))


def test_a_lost_reply_loses_and_repeats_nothing() -> None:
    store = filled(0, 20)
    with (
        serve_store(ANY, limits=FAR) as server,
        Proxy(server.url) as proxy,
        client_of(proxy.url, store, limits=FAR) as client,
    ):
        client.update()
        store.insert_batch(transitions(20, 20))
        proxy.cut_next_reply()
        with pytest.raises(StreamClosed):
            client.update()
        assert proxy.was_cut.wait(WAIT_S)
        assert numbers(server) == list(range(40))
        assert client.counters()["waiting"] == 20
        store.insert(transition(40))
        assert client.update() == 21
        assert numbers(server) == list(range(41))
        assert server.counters()[f"stores/{NAME}/repeated"] == 20


def test_a_lost_first_reply_loses_and_repeats_nothing() -> None:
    store = filled(0, 20)
    with (
        serve_store(ANY, limits=FAR) as server,
        Proxy(server.url) as proxy,
        client_of(proxy.url, store, limits=FAR) as client,
    ):
        proxy.cut_next_reply()
        with pytest.raises(StreamClosed):
            client.update()
        assert client.update() == 20
        assert numbers(server) == list(range(20))


def test_a_lost_message_is_sent_again() -> None:
    store = filled(0, 20)
    with (
        serve_store(ANY, limits=FAR) as server,
        Proxy(server.url) as proxy,
        client_of(proxy.url, store, limits=FAR) as client,
    ):
        proxy.cut()
        for _ in range(2):
            try:
                client.update()
            except StreamClosed:
                continue
        assert numbers(server) == list(range(20))


def test_what_is_inserted_during_updates_arrives_once() -> None:
    store = QueuedDataStore(50_000)
    total = 30_000

    def insert() -> None:
        for number in range(total):
            store.insert(transition(number))

    with serve_store(ANY) as server, client_of(server.url, store) as client:
        inserting = in_thread(insert)
        acknowledged = 0
        while acknowledged < total:
            acknowledged += client.update()
        inserting.result()
        assert acknowledged == total
        assert numbers(server) == list(range(total))


def test_what_had_to_make_room_is_counted_and_the_rest_arrives() -> None:
    store = filled(0, 30, capacity=10)
    with serve_store(ANY) as server, client_of(server.url, store) as client:
        assert client.update() == 10
        store.insert_batch(transitions(30, 10))
        assert client.update() == 10
        assert (numbers(server), store.dropped) == (list(range(20, 40)), 20)


def limited_buffer() -> ReplayBuffer:
    """Takes three transitions before someone samples."""
    limiter = Limiter(samples_per_insert=1.0, min_size=1, tolerance=2.0)
    return ReplayBuffer(capacity=1000, limiter=limiter)


def test_a_limiter_holds_transitions_back_until_someone_samples() -> None:
    store, buffer = filled(0, 3), limited_buffer()
    with serve_store(ANY, buffer) as server, client_of(server.url, store) as client:
        assert client.update() == 3
        store.insert_batch(transitions(3, 4))
        update = in_thread(client.update)
        assert client.request("ask") == {}
        buffer.sample(8)
        assert update.result() == 4
        assert numbers(server) == list(range(7))


def test_who_is_held_back_too_long_is_told_so_and_loses_nothing() -> None:
    store, buffer, free = filled(0, 5), limited_buffer(), filled(0, 5)
    with serve_store(ANY, buffer) as server:
        server.register_data_store("free", ReplayBuffer(capacity=10))
        stores = {NAME: store, "free": free}
        with TrainerClient("actor", server.url, CONFIG, data_stores=stores) as client:
            client.update()
            store.insert(transition(5))
            free.insert(transition(5))
            for _ in range(2):
                with pytest.raises(StreamTimeout, match=r"takes nothing\. Waited .* too far ahead"):
                    client.update(timeout_s=0.3)
            assert len(server.data_store("free")) == 6
            buffer.sample(8)
            assert client.update() == 1
        assert numbers(server) == list(range(6))


def test_a_held_back_client_keeps_no_other_waiting() -> None:
    buffer = limited_buffer()
    with serve_store(ANY, buffer) as server:
        server.register_data_store("free", ReplayBuffer(capacity=10))
        held_store = filled(0, 3)
        with client_of(server.url, held_store) as held:
            held.update()
            held_store.insert(transition(3))
            update = in_thread(held.update)
            stores = {"free": filled(0, 5)}
            with TrainerClient("free", server.url, CONFIG, data_stores=stores) as free:
                assert free.update() == 5
                assert free.request("ask") == {}
            buffer.sample(8)
            assert update.result() == 1


def test_an_update_waits_for_anothers_only_so_long() -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(name: str, batch: Batch) -> None:
        entered.set()
        assert leave.wait(WAIT_S)

    server = TrainerServer(CONFIG, wait, url=ANY)
    server.register_data_store(NAME, ReplayBuffer(capacity=1000))
    store = filled(0, 5)
    with server, client_of(server.url, store) as one, client_of(server.url, store) as other:
        slow = in_thread(one.update)
        assert entered.wait(WAIT_S)
        with pytest.raises(StreamTimeout, match="Another update of 'buffer' took longer"):
            one.update(timeout_s=0.1)
        leave.set()
        slow.result()
        assert other.update() == 0
        assert numbers(server) == list(range(5))


def test_a_repetition_waits_for_the_delivery_that_it_repeats() -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(name: str, batch: Batch) -> None:
        entered.set()
        assert leave.wait(WAIT_S)

    server = TrainerServer(CONFIG, wait, url=ANY)
    server.register_data_store(NAME, ReplayBuffer(capacity=1000))
    store = QueuedDataStore(100)
    with server, client_of(server.url, store) as one, client_of(server.url, store) as other:
        one.update()
        other.update()
        store.insert_batch(transitions(0, 5))
        slow = in_thread(one.update)
        assert entered.wait(WAIT_S)
        with pytest.raises(StreamTimeout, match="An earlier delivery to 'buffer' is not done"):
            other.update(timeout_s=0.3)
        leave.set()
        slow.result()
        assert numbers(server) == list(range(5))
