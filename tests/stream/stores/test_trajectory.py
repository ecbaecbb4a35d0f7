"""Windows of trajectories."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.errors import ConfigError, Conflict, InputError, NotFound
from edgeloop.stream import FutureWindow, LatestWindow, SequenceWindow, TrajectoryBuffer
from transitions import assert_same, picture


def step(episode: int, number: int) -> dict[str, Any]:
    return {"episode": np.int64(episode), "number": np.int64(number), "x": np.full(2, number)}


def fill(buffer: TrajectoryBuffer, *lengths: int) -> TrajectoryBuffer:
    """One trajectory of each length; ``number`` counts the steps of all."""
    number = buffer.cursor
    for episode, length in enumerate(lengths):
        for index in range(length):
            buffer.insert(step(episode, number), end_of_trajectory=index == length - 1)
            number += 1
    return buffer


def windows(buffer: TrajectoryBuffer, begin: int, end: int, count: int = 256) -> Any:
    """(count, time) of the steps' numbers and episodes, where the whole window lies inside."""
    sequence = SequenceWindow(begin, end)
    buffer.register("w", {"number": sequence, "episode": sequence}, reach=(begin, end))
    data, mask = buffer.sample("w", count)
    assert mask["number"].all()
    return data


def test_a_window_never_leaves_its_trajectory() -> None:
    data = windows(fill(TrajectoryBuffer(100, seed=0), 5, 3, 8), 0, 3)
    assert (np.diff(data["number"], axis=1) == 1).all()
    assert (np.diff(data["episode"], axis=1) == 0).all()


def test_every_start_that_fits_is_as_likely_as_every_other() -> None:
    data = windows(fill(TrajectoryBuffer(100, seed=0), 5, 1, 3), 0, 2, 12_000)
    starts, counts = np.unique(data["number"][:, 0], return_counts=True)
    assert starts.tolist() == [0, 1, 2, 3, 6, 7]
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_an_empty_buffer_cannot_be_sampled() -> None:
    buffer = TrajectoryBuffer(10)
    buffer.register("w", {"number": LatestWindow()})
    with pytest.raises(Conflict, match="insert"):
        buffer.sample("w", 1)


def test_trajectories_too_short_for_a_window_are_not_sampled() -> None:
    buffer = fill(TrajectoryBuffer(100), 2, 2, 1)
    with pytest.raises(Conflict, match="No trajectory has 3 steps yet"):
        windows(buffer, 0, 3)


def test_the_one_start_that_fits_is_found_among_many() -> None:
    buffer = fill(TrajectoryBuffer(5000, seed=0), *[1] * 3000, 2, *[1] * 1000)
    assert windows(buffer, 0, 2, 10)["number"].tolist() == [[3000, 3001]] * 10


@pytest.mark.parametrize("key", ["end_of_trajectory", "dones", "terminated", "truncated"])
def test_a_field_that_marks_the_end_is_heeded(key: str) -> None:
    buffer = TrajectoryBuffer(100, seed=0)
    buffer.insert_batch([step(n // 3, n) | {key: np.bool_(n % 3 == 2)} for n in range(9)])
    data = windows(buffer, 0, 3, 100)
    assert set(data["number"][:, 0].tolist()) == {0, 3, 6}


def test_a_mask_of_0_ends_a_trajectory() -> None:
    buffer = TrajectoryBuffer(100, seed=0)
    for number in range(4):
        buffer.insert(step(0, number) | {"masks": np.float32(number != 1)})
    assert set(windows(buffer, 0, 2, 100)["number"][:, 0].tolist()) == {0, 2}


def test_what_lies_outside_is_masked_and_repeats_the_nearest_step() -> None:
    buffer = fill(TrajectoryBuffer(100, seed=0), 2, 4)
    buffer.register("around", {"number": SequenceWindow(-2, 3)})
    data, mask = buffer.sample("around", 1, starts=np.array([3]))
    assert data["number"].tolist() == [[2, 2, 3, 4, 5]]
    assert mask["number"].tolist() == [[False, True, True, True, True]]
    data, mask = buffer.sample("around", 1, starts=np.array([1]))
    assert data["number"].tolist() == [[0, 0, 1, 1, 1]]
    assert mask["number"].tolist() == [[False, True, True, False, False]]


def test_steps_that_fell_out_are_masked() -> None:
    buffer = fill(TrajectoryBuffer(4, seed=0), 6)
    buffer.register("before", {"number": SequenceWindow(-1, 1)})
    data, mask = buffer.sample("before", 1, starts=np.array([2]))
    assert (data["number"].tolist(), mask["number"].tolist()) == ([[2, 2]], [[False, True]])
    assert windows(buffer, -1, 1, 200)["number"].min() == 2


def test_starts_too_near_to_an_end_are_moved() -> None:
    buffer = fill(TrajectoryBuffer(100), 3, 5)
    buffer.register("w", {"number": SequenceWindow(-1, 2)}, reach=(-1, 2))
    data, _ = buffer.sample("w", 0, starts=np.arange(8))
    assert data["number"][:, 1].tolist() == [1, 1, 1, 4, 4, 5, 6, 6]


@pytest.mark.parametrize("starts", [[-1], [8], [[1]]])
def test_starts_that_are_not_held_are_refused(starts: list[Any]) -> None:
    buffer = fill(TrajectoryBuffer(100), 3, 5)
    buffer.register("w", {"number": LatestWindow()})
    with pytest.raises(InputError, match="numbers of rows from 0 to 7"):
        buffer.sample("w", 1, starts=np.array(starts))


def test_a_start_in_too_short_a_trajectory_is_refused() -> None:
    buffer = fill(TrajectoryBuffer(100), 1, 5)
    buffer.register("w", {"number": LatestWindow()}, reach=(0, 2))
    with pytest.raises(InputError, match=r"too short for the reach \(0, 2\)"):
        buffer.sample("w", 1, starts=np.array([0]))


def test_a_window_can_read_another_field_and_squeeze() -> None:
    buffer = fill(TrajectoryBuffer(100, seed=0), 6)
    buffer.register(
        "td",
        {"now": LatestWindow("x"), "next": SequenceWindow(1, 2, squeeze=True, source="x")},
        reach=(0, 2),
    )
    data, mask = buffer.sample("td", 64)
    assert (data["next"] == data["now"] + 1).all()
    assert data["next"].shape == (64, 2)
    assert mask["next"].shape == (64,)


def test_nested_fields_are_named_by_their_path_and_images_are_found() -> None:
    buffer = TrajectoryBuffer(20, seed=0)
    for number in range(30):
        seen, then = {"image": picture(number)}, {"image": picture(number + 1)}
        buffer.insert({"observations": seen, "next_observations": then, "n": number})
    names = ("observations/image", "next_observations/image", "n")
    buffer.register("w", {name: LatestWindow() for name in names})
    data, _ = buffer.sample("w", 40)
    for row, number in enumerate(data["n"].tolist()):
        assert_same(data["observations/image"][row], picture(number))
        assert_same(data["next_observations/image"][row], picture(number + 1))


@pytest.mark.parametrize("form", ["one", "list"])
def test_steps_of_nothing_but_images_have_an_order_too(form: str) -> None:
    buffer = TrajectoryBuffer(20, seed=0)
    items = [
        {"observations": picture(number), "next_observations": picture(number + 1)}
        for number in range(8)
    ]
    if form == "list":
        buffer.insert_batch(items)
    else:
        for item in items:
            buffer.insert(item)
    window = SequenceWindow(0, 2, source="observations")
    buffer.register("w", {"two": window, "next_observations": LatestWindow()}, reach=(0, 2))
    data, _ = buffer.sample("w", 16)
    assert_same(data["two"][:, 1], data["next_observations"])


def test_a_transform_has_the_last_word() -> None:
    buffer = fill(TrajectoryBuffer(100, seed=0), 6)
    buffer.register(
        "w", {"number": LatestWindow()}, transform=lambda data, mask: ({"n": data["number"]}, mask)
    )
    assert list(buffer.sample("w", 3)[0]) == ["n"]


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="ask for 1 or more"):
        windows(fill(TrajectoryBuffer(100), 3), 0, 1, 0)


def test_names_that_are_not_known_are_refused() -> None:
    buffer = fill(TrajectoryBuffer(100), 3)
    buffer.register("w", {"nothing": LatestWindow()})
    with pytest.raises(NotFound, match=r"'v', only \['w'\]"):
        buffer.sample("v", 1)
    with pytest.raises(ConfigError, match="no field 'nothing'"):
        buffer.sample("w", 1)


@pytest.mark.parametrize(("windows_", "reach"), [({}, (0, 1)), ({"a": LatestWindow()}, (1, 1))])
def test_a_plan_without_steps_is_refused(windows_: Any, reach: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="empty"):
        TrajectoryBuffer(3).register("w", windows_, reach=reach)


def test_end_trajectory_before_anything_came_is_fine() -> None:
    TrajectoryBuffer(3).end_trajectory()


def test_a_future_window_reads_ahead_within_the_trajectory() -> None:
    buffer = fill(TrajectoryBuffer(100, seed=0), 4, 10)
    window = FutureWindow(max_future=3)
    buffer.register("goal", {"number": LatestWindow(), "future": window_of(window)})
    data, mask = buffer.sample("goal", 2000)
    ahead = data["future"]["data"] - data["number"]
    assert (ahead == data["future"]["offset"]).all()
    assert mask["future"]["data"].all()
    at_end = np.isin(data["number"], (3, 13))
    assert (ahead[at_end] == 0).all()
    assert set(ahead[~at_end].tolist()) == {1, 2, 3}
    assert (data["future"]["data"][data["number"] <= 3] <= 3).all()


def window_of(window: FutureWindow) -> FutureWindow:
    window.source = "number"
    return window


def test_an_exponential_future_is_cut_off_without_a_heap_at_the_end() -> None:
    buffer = fill(TrajectoryBuffer(100, seed=0), 50)
    window = FutureWindow("exponential", rate=0.5, max_future=4, source="number")
    buffer.register("goal", {"future": window})
    data, _ = buffer.sample("goal", 20_000, starts=np.zeros(20_000, int))
    counts = np.bincount(data["future"]["offset"], minlength=5)[1:] / 20_000
    chances = np.exp(-0.5 * np.arange(4))
    assert counts == pytest.approx(chances / chances.sum(), abs=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FutureWindow("exponential"), "needs a rate"),
        (lambda: FutureWindow(max_future=0), "must be 1 or more"),
        (lambda: SequenceWindow(2, 2), "none is left"),
        (lambda: SequenceWindow(0, 2, squeeze=True), "none is left"),
    ],
)
def test_impossible_windows_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_after_a_restore_everything_is_sampled(tmp_path: Path) -> None:
    fill(TrajectoryBuffer(100), 5, 1, 3).save(tmp_path / "saved")
    buffer = TrajectoryBuffer.restore(tmp_path / "saved", seed=0)
    buffer.insert(step(9, 9))
    data = windows(buffer, 0, 2, 400)
    assert set(data["number"][:, 0].tolist()) == {0, 1, 2, 3, 6, 7}
    assert (np.diff(data["number"], axis=1) == 1).all()


@settings(deadline=None, max_examples=60)
@given(
    capacity=st.integers(1, 80),
    writes=st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.integers(1, 130), st.booleans()),
        min_size=1,
        max_size=25,
    ),
    reach=st.tuples(st.integers(-3, 0), st.integers(1, 4)),
)
def test_windows_are_right_however_origins_mix_and_rows_fall_out(
    capacity: int,
    writes: list[tuple[str | None, int, bool]],
    reach: tuple[int, int],
) -> None:
    buffer = TrajectoryBuffer(capacity, seed=0)
    episodes = {"a": 0, "b": 1, None: 2}
    arrived: list[tuple[int, int]] = []  # (episode, step)
    sent: dict[str | None, int] = {"a": 0, "b": 0, None: 0}
    counts = dict.fromkeys(episodes.values(), 0)
    for origin, length, ends in writes:
        episode = episodes[origin]
        items = [
            {"episode": episode, "step": counts[episode] + index, "dones": False}
            for index in range(length)
        ]
        items[-1]["dones"] = ends
        counts[episode] += length
        if ends:
            episodes[origin] = max(counts) + 1
            counts[episodes[origin]] = 0
        if origin:
            sent[origin] = buffer.receive(origin, sent[origin], items)
        else:
            buffer.insert_batch(items)
        arrived += [(int(item["episode"]), int(item["step"])) for item in items]
    held = set(arrived[-capacity:])
    offsets = range(*reach)
    starts = {(e, s) for e, s in held if all((e, s + offset) in held for offset in offsets)}
    sequence = SequenceWindow(*reach)
    buffer.register("w", {"episode": sequence, "step": sequence}, reach=reach)
    if not starts:
        with pytest.raises(Conflict):
            buffer.sample("w", 1)
        return
    data, mask = buffer.sample("w", 50 * len(starts))
    assert mask["step"].all()
    assert (np.diff(data["step"], axis=1) == 1).all()
    assert (np.diff(data["episode"], axis=1) == 0).all()
    column = -reach[0]
    seen = zip(data["episode"][:, column].tolist(), data["step"][:, column].tolist(), strict=True)
    assert set(seen) == starts
