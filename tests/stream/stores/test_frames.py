"""Large observations are kept once, and are always the right ones."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.stream import ReplayBuffer
from transitions import as_columns, assert_same, picture, picture_transition

FRAME = picture(0).nbytes


def episode(first: int, length: int) -> list[Any]:
    return [picture_transition(number) for number in range(first, first + length)]


@pytest.mark.parametrize("form", ["one", "list", "columns"])
def test_a_frame_is_stored_once(form: str) -> None:
    buffer = ReplayBuffer(capacity=200)
    for first in range(0, 200, 50):
        items = episode(first, 50)
        if form == "one":
            for item in items:
                buffer.insert(item)
        else:
            buffer.insert_batch(as_columns(items) if form == "columns" else items)
    assert buffer.size_bytes < 1.1 * 200 * FRAME


def test_frames_that_fell_out_make_room_for_new_ones() -> None:
    buffer = ReplayBuffer(capacity=50)
    for first in range(0, 1000, 20):
        buffer.insert_batch(episode(first, 20))
    assert buffer.size_bytes < 1.2 * 50 * FRAME


def test_the_end_of_an_episode_keeps_its_own_last_frame() -> None:
    buffer = ReplayBuffer(capacity=50)
    buffer.insert_batch([*episode(0, 4), picture_transition(4, after=900, mask=0.0)])
    buffer.insert_batch(episode(500, 5))
    ends = [
        int(item["next_observations"]["image"][0, :4, 0].copy().view(np.uint32)[0])
        for item in buffer.since(0)[0]
    ]
    assert ends == [1, 2, 3, 4, 900, 501, 502, 503, 504, 505]


def test_origins_that_come_by_turns_share_frames_each_with_itself() -> None:
    buffer = ReplayBuffer(capacity=200)
    for turn in range(40):
        for index, origin in enumerate(("a", "b")):
            item = picture_transition(1000 * index + turn)
            buffer.receive(origin, turn, [item])
    assert buffer.size_bytes < 1.2 * 80 * FRAME
    for turn, item in enumerate(buffer.since(0)[0]):
        assert_same(item, picture_transition(1000 * (turn % 2) + turn // 2))


def test_wider_frames_are_narrowed_before_they_are_compared() -> None:
    buffer = ReplayBuffer(capacity=100)
    rng = np.random.default_rng(0)
    frames = rng.random((51, 300))
    buffer.insert({"observations": np.zeros(300, np.float32), **after(frames[0])})
    for number in range(50):
        buffer.insert({"observations": frames[number], **after(frames[number + 1])})
    columns = {"observations": frames[:-1], "next_observations": frames[1:]}
    buffer.insert_batch(columns | {"rewards": np.zeros(50)})
    kept = buffer.since(1, limit=50)[0]
    assert_same(kept[7]["observations"], frames[7].astype(np.float32))
    assert buffer.size_bytes < 1.2 * 104 * 300 * 4


def after(frame: Any) -> dict[str, Any]:
    return {"next_observations": frame.astype(np.float32), "rewards": 0.0}


def test_an_odd_number_of_bytes_is_compared_as_well() -> None:
    buffer = ReplayBuffer(capacity=10)
    frames = np.arange(5)[:, None] * np.ones((1, 1025))
    for form in (False, True):
        columns = {
            "observations": frames[:-1].astype(np.uint8),
            "next_observations": frames[1:].astype(np.uint8),
        }
        if form:
            buffer.insert_batch(columns)
        else:
            for row in range(4):
                buffer.insert({key: value[row] for key, value in columns.items()})
    kept = [int(item["next_observations"][0]) for item in buffer.since(0)[0]]
    assert kept == [1, 2, 3, 4, 1, 2, 3, 4]
    assert buffer.size_bytes < 11 * 1100


def test_large_fields_without_a_twin_are_kept_as_they_are() -> None:
    buffer = ReplayBuffer(capacity=4)
    for number in range(6):
        buffer.insert({"image": picture(number), "action": np.float32(number)})
    batch = buffer.sample(32)
    for image, action in zip(batch["image"], batch["action"], strict=True):
        assert_same(image, picture(int(action)))


@settings(deadline=None, max_examples=60)
@given(
    capacity=st.integers(1, 24),
    writes=st.lists(
        st.tuples(
            st.sampled_from([None, "a", "b"]),  # the origin
            st.integers(1, 20),  # how many transitions
            st.booleans(),  # whether its episode goes on
            st.booleans(),  # as columns
        ),
        max_size=12,
    ),
)
def test_whatever_the_episodes_every_frame_is_right_and_none_leaks(
    capacity: int, writes: list[tuple[str | None, int, bool, bool]]
) -> None:
    buffer = ReplayBuffer(capacity=capacity)
    model: list[Any] = []
    newest = {None: 0, "a": 10_000, "b": 20_000}
    counts = {"a": 0, "b": 0}
    for origin, length, goes_on, stacked in writes:
        newest[origin] += 0 if goes_on else 100
        items = episode(newest[origin], length)
        newest[origin] += length
        batch = as_columns(items) if stacked else items
        if origin:
            counts[origin] = buffer.receive(origin, counts[origin], batch)
        elif length == 1:
            buffer.insert(items[0])
        else:
            buffer.insert_batch(batch)
        model += items
    kept, _ = buffer.since(0)
    assert len(kept) == min(capacity, len(model))
    for mine, expected in zip(kept, model[-capacity:], strict=True):
        assert_same(mine, expected)
    assert buffer.size_bytes <= 2 * (capacity + max(1, capacity // 16)) * (FRAME + 100)
