"""Stable-Baselines3's algorithms on our stores."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer as TheirBuffer

from edgeloop.errors import ConfigError, Conflict, InputError
from edgeloop.rl import StoreReplay, learner_on
from edgeloop.stream import Prioritized, ReplayBuffer, TrajectoryBuffer

SEEN = spaces.Box(-10, 10, (3,), np.float32)
TORQUE = spaces.Box(-2, 2, (1,), np.float32)
IMAGE = spaces.Box(0, 255, (36, 40, 3), np.uint8)


def small() -> dict[str, Any]:
    """Options of an algorithm for small networks."""
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}


def step(number: int, **changes: Any) -> dict[str, Any]:
    """Saw ``number``, did 1.0, got ``number``."""
    given = {
        "observations": np.full(3, number, np.float32),
        "actions": np.full(1, 1.0, np.float32),
        "rewards": np.float32(number),
        "next_observations": np.full(3, number + 1, np.float32),
        "masks": np.float32(1),
        "dones": np.bool_(False),
    }
    return given | changes


def stores() -> list[Any]:
    return [
        pytest.param(lambda: ReplayBuffer(capacity=100), id="replay"),
        pytest.param(lambda: TrajectoryBuffer(100, seed=0), id="trajectory"),
    ]


def view_of(store: Any, seen: Any = SEEN, action: Any = TORQUE) -> StoreReplay:
    return StoreReplay(1, seen, action, device="cpu", store=store)


def weights(model: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.policy.parameters()])


@pytest.mark.parametrize("make", stores())
@pytest.mark.parametrize("algorithm", [SAC, TD3])
def test_an_algorithm_learns_from_a_store_without_an_environment(algorithm: Any, make: Any) -> None:
    store = make()
    learner = learner_on(store, algorithm, observation_space=SEEN, action_space=TORQUE, **small())
    for number in range(10):
        store.insert(step(number))
    before = weights(learner)
    learner.train(gradient_steps=2, batch_size=4)
    assert not torch.equal(before, weights(learner))


def test_an_algorithm_for_choices_learns_from_a_store() -> None:
    store = ReplayBuffer(SEEN, spaces.Discrete(3), 100)
    learner = learner_on(
        store, DQN, observation_space=SEEN, action_space=spaces.Discrete(3), **small()
    )
    for number in range(10):
        store.insert(step(number, actions=number % 3))
    before = weights(learner)
    learner.train(gradient_steps=2, batch_size=4)
    assert not torch.equal(before, weights(learner))


@pytest.mark.parametrize("make", stores())
def test_batches_are_what_was_inserted_with_actions_scaled(make: Any) -> None:
    store = make()
    for number in range(5):
        store.insert(step(number))
    batch = view_of(store).sample(16)
    assert batch.observations.shape == (16, 3)
    assert torch.equal(batch.next_observations, batch.observations + 1)
    assert torch.equal(batch.rewards, batch.observations[:, :1])
    assert torch.equal(batch.actions, torch.full((16, 1), 0.5))
    assert torch.equal(batch.dones, torch.zeros(16, 1))
    assert batch.discounts is None


@pytest.mark.parametrize("make", stores())
def test_no_value_follows_where_the_mask_is_zero(make: Any) -> None:
    store = make()
    store.insert(step(0, masks=np.float32(0), dones=np.bool_(True)))
    assert torch.equal(view_of(store).sample(4).dones, torch.ones(4, 1))


def test_a_value_follows_where_time_was_up() -> None:
    store = ReplayBuffer(capacity=10)
    store.insert(step(0, masks=np.float32(1), dones=np.bool_(True)))
    assert torch.equal(view_of(store).sample(4).dones, torch.zeros(4, 1))


def test_returns_of_several_steps_come_with_their_discounts() -> None:
    store = ReplayBuffer(capacity=10, n_step=2, discount=0.5)
    for number in range(2):
        store.insert(step(number, rewards=np.float32(1)))
    batch = view_of(store).sample(64)
    both = batch.rewards == 1.5
    assert both.any()
    assert torch.equal(batch.discounts, torch.where(both, 0.25, 0.5))


def test_numbers_of_a_batch_are_what_the_networks_compute_with() -> None:
    store = ReplayBuffer(capacity=10)
    store.insert(
        step(0, rewards=2.0, actions=np.zeros(1, np.float64), masks=1)  # Python's own, and 64 bits
    )
    batch = view_of(store).sample(2)
    assert {batch.rewards.dtype, batch.dones.dtype, batch.actions.dtype} == {torch.float32}


@pytest.mark.parametrize("make", stores())
def test_dicts_with_images_become_tensors_with_channels_first(make: Any) -> None:
    space = spaces.Dict({"camera": IMAGE, "arm": SEEN})
    store = make()
    image = np.zeros(IMAGE.shape, np.uint8)
    image[1, 2, 0] = 7
    seen = {"camera": image, "arm": np.zeros(3, np.float32)}
    store.insert(step(0, observations=seen, next_observations=seen))
    learner = learner_on(
        store,
        SAC,
        observation_space=space,
        action_space=TORQUE,
        policy="MultiInputPolicy",
        **small(),
    )
    replay: Any = learner.replay_buffer
    batch = replay.sample(2)
    assert batch.observations["camera"].shape == (2, 3, 36, 40)
    assert batch.observations["camera"][1, 0, 1, 2] == 7
    learner.train(gradient_steps=1, batch_size=2)


def test_the_learner_says_where_its_environment_is() -> None:
    learner = learner_on(
        ReplayBuffer(capacity=10), SAC, observation_space=SEEN, action_space=TORQUE, **small()
    )
    with pytest.raises(ConfigError, match="elsewhere"):
        learner.learn(10)
    assert learner.env is not None
    with pytest.raises(ConfigError, match="elsewhere"):
        learner.env.step(np.zeros((1, 1)))


def test_learning_from_nothing_is_a_conflict() -> None:
    learner = learner_on(
        ReplayBuffer(capacity=10), SAC, observation_space=SEEN, action_space=TORQUE, **small()
    )
    with pytest.raises(Conflict):
        learner.train(gradient_steps=1, batch_size=4)


def test_transitions_without_masks_are_refused() -> None:
    store = ReplayBuffer(capacity=10)
    store.insert({key: value for key, value in step(0).items() if key != "masks"})
    with pytest.raises(InputError, match="need masks"):
        view_of(store).sample(2)


def test_prioritized_batches_are_refused() -> None:
    store = ReplayBuffer(capacity=10, sampler=Prioritized())
    store.insert(step(0))
    with pytest.raises(ConfigError, match=r"Uniform\(\)"):
        view_of(store).sample(2)


class Corridor(gym.Env[Any, Any]):
    """Ends after three steps to the right, is cut off after five."""

    def __init__(self) -> None:
        self.observation_space = SEEN
        self.action_space = spaces.Box(-2, 2, (1,), np.float32)  # with a random state of its own

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.steps = 0
        return self.seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place += int(action[0] > 0)
        self.steps += 1
        return self.seen(), float(action[0]), self.place == 3, self.steps == 5, {}

    def seen(self) -> Any:
        return np.array([self.place, self.steps, 0], np.float32)


def test_where_there_is_an_environment_learning_fills_the_store_as_it_fills_theirs() -> None:
    store = ReplayBuffer(SEEN, TORQUE, 1000)
    options: dict[str, Any] = {**small(), "learning_starts": 1000}
    ours = SAC(
        "MlpPolicy",
        Corridor(),
        replay_buffer_class=StoreReplay,
        replay_buffer_kwargs={"store": store},
        **options,
    )
    theirs = SAC("MlpPolicy", Corridor(), **options)
    for model in (ours, theirs):
        model.learn(60)
    kept, expected = store.batch_since(0)[0], theirs.replay_buffer
    assert isinstance(expected, TheirBuffer)
    assert ours.replay_buffer is not None
    assert ours.replay_buffer.size() == 60
    np.testing.assert_array_equal(kept["observations"], expected.observations[:60, 0])
    np.testing.assert_array_equal(kept["next_observations"], expected.next_observations[:60, 0])
    np.testing.assert_array_equal(kept["rewards"], expected.rewards[:60, 0])
    np.testing.assert_allclose(kept["actions"], 2 * expected.actions[:60, 0], atol=1e-6)
    over = expected.dones[:60, 0] * (1 - expected.timeouts[:60, 0])
    np.testing.assert_array_equal(kept["masks"], 1 - over)
    assert 0 < over.sum() < expected.dones[:60].sum()


def test_dicts_and_choices_of_an_environment_fill_the_store() -> None:
    store = ReplayBuffer(capacity=10)
    space = spaces.Dict({"arm": SEEN})
    view = view_of(store, space, spaces.Discrete(3))
    seen = {"arm": np.zeros((1, 3), np.float32)}
    view.add(seen, seen, np.array([2]), np.ones(1), np.zeros(1), [{}])
    batch = view.sample(2)
    assert batch.observations["arm"].shape == (2, 3)
    assert batch.actions.tolist() == [[2], [2]]
