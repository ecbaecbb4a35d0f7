"""agentlace.data.sampler."""

from typing import Any

import numpy as np
import pytest

from compat.trajectories import LATEST, every, made
from edgeloop.compat.agentlace.data.sampler import (
    FutureSampler,
    LatestSampler,
    PrioritySampler,
    Sampler,
    SequenceSampler,
    expand_to_shape,
    make_jit_insert,
    make_jit_sample,
)
from edgeloop.errors import ConfigError, Conflict


class Backwards(Sampler):
    """A sampler as users write them: the step before, by absolute numbers."""

    def sample(
        self, sampled_idx: Any, ep_begin: Any, ep_end: Any, key: Any, dataset: Any, source_name: str
    ) -> Any:
        return self._access(sampled_idx - 1, ep_begin, ep_end, dataset, source_name)


def test_windows_are_masked_outside_their_trajectory() -> None:
    buffer = made(10, 15, 20, 75)
    samplers = {
        "before": SequenceSampler(begin=-3, end=1, source="index"),
        "after": SequenceSampler(begin=0, end=4, source="index"),
        **LATEST,
    }
    buffer.register_sample_config("x", samplers)
    data, mask = buffer.sample("x", 0, force_indices=every(buffer))
    assert (data["trajectory_id"] != 0).all()
    assert data["before"].shape == (100, 4)
    steps = data["index"][:, None]
    assert (
        mask["after"]
        == (
            steps + np.arange(4)
            < [[{1: 15, 2: 20, 3: 75}[t]] for t in data["trajectory_id"].tolist()]
        )
    ).all()
    assert (data["after"][mask["after"]] == (steps + np.arange(4))[mask["after"]]).all()
    assert (data["before"][mask["before"]] == (steps + np.arange(-3, 1))[mask["before"]]).all()
    first = (data["trajectory_id"] == 1) & (data["index"] == 5)
    assert mask["before"][first].tolist() == [[False, False, False, True]] * first.sum()


def test_a_squeezed_sequence_has_no_time() -> None:
    buffer = made(4)
    next_one = SequenceSampler(squeeze=True, begin=1, end=2, source="index")
    buffer.register_sample_config("x", {"next": next_one}, (0, 2))
    data, mask = buffer.sample("x", 0, force_indices=np.array([0, 1, 2, 3]))
    assert data["next"].tolist() == [1, 2, 3, 3]  # the last start is moved to where it fits
    assert mask["next"].all()


def test_a_users_own_sampler_is_asked() -> None:
    buffer = made(5, 4)
    buffer.register_sample_config("x", {"before": Backwards("index"), **LATEST}, (-1, 1))
    data, mask = buffer.sample("x", 200)
    assert mask["before"].all()
    assert (data["before"] == data["index"] - 1).all()
    assert set((data["trajectory_id"] * 10 + data["index"]).tolist()) == {1, 2, 3, 4, 11, 12, 13}
    data, mask = buffer.sample("x", 0, force_indices=[0, 3])
    assert data["before"].tolist() == [0, 2]


def test_a_users_own_sampler_is_transformed_too() -> None:
    buffer = made(5)
    buffer.register_sample_config(
        "x", {"before": Backwards("index")}, transform=lambda data, mask: (mask, data)
    )
    assert buffer.sample("x", 1)[0]["before"].dtype == np.bool_


def test_a_config_may_be_replaced() -> None:
    buffer = made(5)
    buffer.register_sample_config("x", {"index": Backwards()})
    buffer.register_sample_config("x", LATEST)
    assert list(buffer.sample("x", 1)[0]) == list(LATEST)


@pytest.mark.parametrize("sampler", [Backwards("nothing"), LatestSampler("nothing")])
def test_a_source_that_is_no_column_is_a_value_error(sampler: Sampler) -> None:
    buffer = made(5)
    buffer.register_sample_config("x", {"index": sampler})
    with pytest.raises(ValueError, match="'index' has the source 'nothing'"):
        buffer.sample("x", 1)


def test_a_name_that_is_no_column_is_a_key_error() -> None:
    buffer = made(5)
    buffer.register_sample_config("x", {"nothing": LatestSampler()})
    with pytest.raises(KeyError, match="nothing"):
        buffer.sample("x", 1)


def test_a_future_step_lies_ahead_in_the_trajectory() -> None:
    buffer = made(10, 20)
    samplers = {"goal": FutureSampler(source="index"), **LATEST}
    buffer.register_sample_config("x", samplers)
    data, mask = buffer.sample("x", 2000)
    goal = data["goal"]
    assert list(mask["goal"]) == list(goal) == ["data", "offset"]
    assert mask["goal"]["data"].all()
    assert (goal["data"] == data["index"] + goal["offset"]).all()
    assert goal["offset"].min() == 0
    first = (data["trajectory_id"] == 0) & (data["index"] == 0)
    assert set(goal["data"][first].tolist()) <= set(range(10))


def test_a_future_step_is_below_max_future_steps_ahead() -> None:
    buffer = made(50)
    buffer.register_sample_config("x", {"goal": FutureSampler(max_future=3, source="index")})
    data, _ = buffer.sample("x", 2000)
    assert set(data["goal"]["offset"].tolist()) == {0, 1, 2}


def test_an_exponential_future_has_its_mean() -> None:
    buffer = made(1000, capacity=1000)
    exponential = FutureSampler(FutureSampler.Distribution.EXPONENTIAL, lambda_=5.0, source="index")
    buffer.register_sample_config("x", {"goal": exponential})
    data, _ = buffer.sample("x", 20_000)
    assert 4.1 < data["goal"]["offset"].mean() < 4.8  # whole steps of a mean of 5


def test_an_exponential_future_needs_a_mean() -> None:
    sampler = FutureSampler(FutureSampler.Distribution.EXPONENTIAL)
    with pytest.raises(ConfigError, match="rate"):
        made(5).register_sample_config("x", {"index": sampler})


def test_priorities_are_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match="Prioritized"):
        PrioritySampler(np.ones(3))


def test_the_base_of_samplers_does_nothing() -> None:
    zeros = np.zeros(1, int)
    random = np.random.default_rng()
    with pytest.raises(NotImplementedError):
        Sampler().sample(zeros, zeros, zeros, random, {}, "x")


def test_samplers_work_on_plain_arrays() -> None:
    dataset, metadata = (
        {"x": np.zeros(10)},
        {"ep_begin": np.zeros(10, int), "ep_end": np.full(10, -1)},
    )
    insert = make_jit_insert()
    for number in range(5):
        dataset = dict(insert(dataset, {"x": number}, number))
    sample = make_jit_sample(
        {"x": LatestSampler(), "s": SequenceSampler(begin=0, end=2, source="x")}, (0, 2), 10
    )
    random = np.random.default_rng(0)
    data, mask = sample(dataset, metadata, random, 500, 0, 5)
    assert set(data["x"].tolist()) == {0, 1, 2, 3}
    assert (data["s"] == data["x"][:, None] + [0, 1]).all()
    assert mask["s"].all()
    with pytest.raises(Conflict, match="long enough"):
        sample(dataset, metadata, random, 1, 0, 1)
    with pytest.raises(AssertionError):
        insert(dataset, {"y": 1}, 0)


def test_arrays_are_repeated_along_new_axes() -> None:
    assert expand_to_shape(np.array([1, 2]), (2, 3)).tolist() == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(AssertionError, match="Bad shape"):
        expand_to_shape(np.array([1, 2]), (3,))
