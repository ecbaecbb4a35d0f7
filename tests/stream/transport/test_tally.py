"""Counting calls."""

from edgeloop.stream.transport.tally import Ledger, Tally


def test_latencies_are_known_to_a_factor_of_two() -> None:
    tally = Tally()
    for microseconds in range(1, 1001):
        tally.timed(microseconds / 1e6)
    assert tally.calls == 1000
    assert 500e-6 <= tally.within_s(0.5) <= 1000e-6
    assert 990e-6 <= tally.within_s(0.99) <= 1000e-6
    assert tally.longest_s == 1000e-6


def test_without_calls_there_is_no_latency() -> None:
    assert Tally().within_s(0.5) == 0.0


def test_an_endless_call_is_counted_too() -> None:
    tally = Tally()
    tally.timed(1e9)
    assert tally.calls == 1


def test_a_ledger_keeps_the_figures_of_connections_that_are_gone() -> None:
    ledger = Ledger()
    first, second = ledger.open(), ledger.open()
    first.timed(0.5)
    first.bytes_in += 7
    second.timed(0.1)
    ledger.close(first)
    ledger.close(first)
    ledger.count("refused")
    counters = ledger.counters()
    assert counters["calls"] == 2
    assert counters["bytes_in"] == 7
    assert counters["connections"] == 1
    assert counters["connections_made"] == 2
    assert counters["call_seconds_max"] == 0.5
    assert counters["refused"] == 1
