"""agentlace.data.sampler: what each sampler reads, in a buffer and of plain arrays."""

from typing import Any

import numpy as np
import pytest

from compat.journeys import numbers, receive, stop, travelled
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
from edgeloop.errors import ConfigError, InputError

EXPONENTIAL = FutureSampler.Distribution.EXPONENTIAL


class Distance(Sampler):
    """A user's own: how many km are left to the end of a journey."""

    def sample(
        self,
        sampled_idx: Any,
        ep_begin: Any,
        ep_end: Any,
        key: Any,
        dataset: Any,
        source_name: str,
    ) -> tuple[Any, Any]:
        km = dataset[self.source or source_name]
        left = km[(ep_end - 1) % len(km)] - km[sampled_idx % len(km)]
        return left, ep_begin <= sampled_idx


class Doubled(LatestSampler):
    """A user's own, made of one of ours."""

    def sample(self, *args: Any, **named: Any) -> tuple[Any, Any]:
        data, mask = super().sample(*args, **named)
        return 2 * data, mask


def read(sampler: Sampler, *stretches: range, at: list[int], name: str = "km") -> tuple[Any, Any]:
    """What a sampler reads at these steps of journeys."""
    buffer = travelled(*stretches)
    buffer.register_sample_config("trip", {name: sampler})
    data, mask = buffer.sample("trip", 0, force_indices=at)
    return data[name], mask[name]


def test_the_latest_is_the_step_itself() -> None:
    km, mask = read(LatestSampler(), range(10, 15), range(30, 33), at=[1, 6])
    assert km.tolist() == [11, 31]
    assert (mask.dtype, mask.tolist()) == (np.bool_, [True, True])


def test_a_sequence_is_masked_where_it_leaves_its_trajectory() -> None:
    sampler = SequenceSampler(begin=-1, end=3)
    km, mask = read(sampler, range(10, 15), range(30, 33), at=[0, 2, 6])
    assert mask.tolist() == [[False, True, True, True], [True] * 4, [True, True, True, False]]
    assert km[mask].tolist() == [10, 11, 12, 11, 12, 13, 14, 30, 31, 32]


def test_a_squeezed_sequence_has_no_axis_of_time() -> None:
    view, mask = read(SequenceSampler(squeeze=True, begin=1, end=2), range(5), at=[3], name="view")
    assert (view.shape, mask.shape) == ((1, 2, 3), (1,))
    assert (view == 4).all()


@pytest.mark.parametrize("options", [{"begin": 2, "end": 2}, {"squeeze": True, "end": 2}])
def test_a_sequence_that_cannot_be_is_refused_where_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SequenceSampler(**options)


@pytest.mark.parametrize(
    "sampler", [FutureSampler(), FutureSampler(EXPONENTIAL, lambda_=0.3)], ids=["uniform", "exp"]
)
def test_a_future_step_says_how_far_ahead_it_is(sampler: FutureSampler) -> None:
    found, mask = read(sampler, range(10, 30), range(50, 70), at=[4] * 300)
    assert (found["data"] == 14 + found["offset"]).all()
    assert 1 <= found["offset"].min() < found["offset"].max() <= 15
    assert mask["data"].all()
    assert mask["offset"].shape == (300,)


def test_a_future_step_is_at_most_so_far_ahead() -> None:
    found, _ = read(FutureSampler(max_future=3), range(40), at=[0] * 200)
    assert set(found["offset"].tolist()) == {1, 2, 3}


def test_an_exponential_future_needs_its_rate() -> None:
    with pytest.raises(ConfigError, match="rate"):
        FutureSampler(EXPONENTIAL)


def test_priorities_are_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match="Prioritized"):
        PrioritySampler([1.0, 2.0])


def test_a_source_is_read_under_another_name() -> None:
    km, _ = read(LatestSampler(source="km"), range(7, 12), at=[2], name="goal")
    assert km.tolist() == [9]


@pytest.mark.parametrize("sampler", [LatestSampler("mile"), Distance("mile")])
def test_a_source_that_is_no_column_is_refused(sampler: Sampler) -> None:
    with pytest.raises(ValueError, match=r"'goal' reads 'mile', which is none of \['km', 'view'\]"):
        read(sampler, range(5), at=[0], name="goal")


def test_a_sampler_of_a_users_own_sees_whole_trajectories() -> None:
    left, mask = read(Distance(), range(10, 15), range(30, 33), at=[0, 4, 5])
    assert left.tolist() == [4, 0, 2]
    assert mask.all()


def test_what_a_user_changed_of_our_samplers_counts() -> None:
    km, _ = read(Doubled(), range(5), at=[3])
    assert km.tolist() == [6]


def test_samplers_of_both_kinds_read_the_same_steps() -> None:
    buffer = travelled(range(100), range(200, 240), capacity=50)
    config = {"left": Distance("km"), "km": LatestSampler(), "twice": Doubled("km")}
    buffer.register_sample_config("trip", config, transform=lambda data, mask: (data, len(mask)))
    data, count = buffer.sample("trip", 400)
    assert (list(data), count) == (["left", "km", "twice"], 3)
    assert (data["twice"] == 2 * data["km"]).all()
    assert (data["left"] == np.where(data["km"] < 100, 99, 239) - data["km"]).all()


def test_a_users_sampler_sees_the_trajectories_of_mixed_origins_as_wholes() -> None:
    buffer = travelled()
    for km in range(0, 20, 2):
        receive(buffer, "north", km, km + 1)
        receive(buffer, "south", 100 + km)
    buffer.register_sample_config("trip", {"km": LatestSampler(), "left": Distance("km")})
    data, _ = buffer.sample("trip", 300)
    assert (data["left"] == np.where(data["km"] < 100, 19, 118) - data["km"]).all()


def test_steps_that_wait_are_not_shown_to_a_users_sampler() -> None:
    buffer = travelled(range(4), capacity=4)
    buffer.insert(stop(77))
    buffer.register_sample_config("trip", {"km": Doubled()})
    assert buffer.sample("trip", 0, force_indices=numbers(buffer))[0]["km"].tolist() == [0, 2, 4, 6]


def test_a_sampler_with_nothing_of_its_own_says_so() -> None:
    with pytest.raises(NotImplementedError, match="neither a window nor a sample"):
        Sampler().sample([0], [0], [1], 0, {"km": np.arange(3)}, "km")


@pytest.mark.parametrize("key", [5, np.array([1, 2], np.uint32), np.random.default_rng(4)])
def test_a_sampler_reads_plain_arrays(key: Any) -> None:
    dataset = {"km": np.arange(8) * 10}
    data, mask = FutureSampler().sample(
        np.array([9]), np.array([9]), np.array([12]), key, dataset, "km"
    )
    assert data["data"].tolist() == (10 * (1 + data["offset"])).tolist()
    assert data["offset"][0] in {1, 2}
    assert mask["data"].tolist() == [True]


def test_the_same_key_reads_the_same() -> None:
    bounds = (np.zeros(50, int), np.zeros(50, int), np.full(50, 8))
    first, again = (
        FutureSampler().sample(*bounds, 11, {"km": np.arange(8)}, "km")[0]["offset"].tolist()
        for _ in range(2)
    )
    assert first == again


def test_a_mask_grows_to_the_shape_of_its_data() -> None:
    grown = expand_to_shape([[True, False]], (1, 2, 3))
    assert grown.tolist() == [[[True] * 3, [False] * 3]]


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 4, 3)])
def test_a_mask_of_another_shape_does_not_grow(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="first axes"):
        expand_to_shape(np.zeros((4, 3)), shape)


def test_a_drawing_function_moves_steps_as_far_as_the_range_needs() -> None:
    buffer = travelled(range(10, 15), range(30, 33))
    config = {"km": LatestSampler(), "next": SequenceSampler(begin=0, end=2, source="km")}
    draw = make_jit_sample(config, (0, 2), buffer.capacity)
    data, mask = draw(buffer.dataset, buffer.metadata, [0, 4, 7], key=1)
    assert data["km"].tolist() == [10, 13, 31]
    assert data["next"].tolist() == [[10, 11], [13, 14], [31, 32]]
    assert mask["next"].all()


def test_an_inserting_function_writes_rows() -> None:
    dataset = {"km": np.zeros(4, int), "view": np.zeros((4, 2))}
    insert = make_jit_insert()
    assert insert(dataset, {"km": 5, "view": [1, 2]}, 3) is dataset
    insert(dataset, {"km": [7, 8]}, [0, 1])
    assert dataset["km"].tolist() == [7, 8, 0, 5]
    assert dataset["view"][3].tolist() == [1, 2]
