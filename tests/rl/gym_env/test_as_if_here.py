"""An environment elsewhere is as if it were here: spaces, episodes, infos, renderings, seeds."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from edgeloop.errors import ConfigMismatch
from rl.gym_env.environments import Counting, client_of, serve_env, vector_client_of
from rl.gym_env.test_spaces import assert_equal
from streams import Way, assert_same

IDS = ["CartPole-v1", "Pendulum-v1"]
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
Envs = SyncVectorEnv[Any, Any]


def copies(env_id: str, mode: AutoresetMode, **options: Any) -> Envs:
    """Three environments whose episodes end soon."""
    return SyncVectorEnv(
        [lambda: gymnasium.make(env_id, max_episode_steps=9, **options)] * 3, autoreset_mode=mode
    )


@pytest.mark.parametrize("env_id", IDS)
def test_episodes_are_the_same_to_the_last_bit(each_way: Way, env_id: str) -> None:
    here = gymnasium.make(env_id)
    there = client_of(each_way, serve_env(each_way, lambda: gymnasium.make(env_id)))
    assert (there.observation_space, there.action_space) == (
        here.observation_space,
        here.action_space,
    )
    here.action_space.seed(5)
    for seed in (11, None, 12):
        assert_same(there.reset(seed=seed), here.reset(seed=seed))
        over = False
        while not over:
            action = here.action_space.sample()
            step = here.step(action)
            assert_same(there.step(action), step)
            over = bool(step[2] or step[3])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", IDS)
def test_vector_environments_are_the_same_to_the_last_bit(
    near: Way, env_id: str, mode: AutoresetMode
) -> None:
    here = copies(env_id, mode)
    there = vector_client_of(near, serve_env(near, lambda: copies(env_id, mode)))
    same_vectors(here, there)


def test_vector_environments_are_the_same_whatever_carries_them(each_way: Way) -> None:
    mode = AutoresetMode.SAME_STEP
    here = copies("CartPole-v1", mode)
    there = vector_client_of(each_way, serve_env(each_way, lambda: copies("CartPole-v1", mode)))
    same_vectors(here, there)


def same_vectors(here: Envs, there: Any) -> None:
    for name in ("observation", "action", "single_observation", "single_action"):
        assert getattr(there, f"{name}_space") == getattr(here, f"{name}_space")
    assert (there.num_envs, there.metadata) == (here.num_envs, here.metadata)
    here.action_space.seed(5)
    assert_same(there.reset(seed=11), here.reset(seed=11))
    for _ in range(40):
        actions = here.action_space.sample()
        step = here.step(actions)
        assert_equal(list(there.step(actions)), list(step))
        over = step[2] | step[3]
        if here.autoreset_mode is AutoresetMode.DISABLED and over.any():
            assert_equal(
                list(there.reset(options={"reset_mask": over.copy()})),
                list(here.reset(options={"reset_mask": over.copy()})),
            )
    assert_same(there.reset(seed=[1, None, 3])[0][::2], here.reset(seed=[1, None, 3])[0][::2])


def test_a_server_makes_copies_of_an_environment(near: Way) -> None:
    server = serve_env(near, lambda: gymnasium.make("CartPole-v1"), num_envs=3)
    here = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3)
    same_vectors(here, vector_client_of(near, server))


@pytest.mark.filterwarnings("ignore:.*A Box observation space m")
def test_gymnasium_finds_nothing_wrong_with_a_client(each_way: Way) -> None:
    client = client_of(each_way, serve_env(each_way, lambda: gymnasium.make("CartPole-v1")))
    check_env(client, skip_render_check=True)  # it would render CartPole here, in a window


def test_gymnasium_finds_nothing_wrong_with_what_a_client_renders(near: Way) -> None:
    gymnasium.register("Counting-v0", "rl.gym_env.environments:Counting", nondeterministic=True)
    try:
        env = gymnasium.make("Counting-v0", render_mode="rgb_array", disable_env_checker=True)
        client = client_of(near, serve_env(near, env))
        check_env(client)
    finally:
        del gymnasium.registry["Counting-v0"]


def test_a_client_says_what_the_environment_says_of_itself(near: Way) -> None:
    here = gymnasium.make("Pendulum-v1")
    there = client_of(near, serve_env(near, lambda: gymnasium.make("Pendulum-v1")))
    assert (there.metadata, there.render_mode) == (here.metadata, here.render_mode)
    assert there.spec is not None
    assert here.spec is not None
    assert there.spec.id == here.spec.id
    assert str(there) == "<GymEnvClient<Pendulum-v1>>"
    assert there.unwrapped is there


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_renderings_travel(each_way: Way, mode: str) -> None:
    here = Counting(render_mode=mode)
    there = client_of(each_way, serve_env(each_way, Counting(render_mode=mode)))
    assert there.render_mode == mode
    for env in (here, there):
        env.reset()
        env.step(0)
    assert_same(there.render(), here.render())


def test_renderings_of_vector_environments_travel(near: Way) -> None:
    server = serve_env(near, lambda: Counting(render_mode="rgb_array"), num_envs=2)
    client = vector_client_of(near, server)
    client.reset()
    client.step(np.array([0, 0]))
    frame = np.ones((4, 5, 3), np.uint8)
    assert_same(client.render(), (frame, frame))
    assert client.counters()["calls"] >= 5


def test_options_of_a_reset_arrive(near: Way) -> None:
    client = client_of(near, serve_env(near, Counting()))
    options = {"pose": np.arange(3), "name": None, "deep": {"goal": (1, 2.0)}}
    assert_same(client.reset(options=options)[1], {"options": options})


INFOS: dict[Any, Any] = {
    "scalar": np.float32(3),
    "flag": np.bool_(True),
    "none": None,
    "deep": {"picture": np.zeros((2, 2, 3), np.uint8), "deeper": {"text": "ü", "complex": 1j}},
    "tuple": (1, [2, {"x": None}]),
    7: "numbers may be keys",
}


def test_infos_travel(each_way: Way) -> None:
    env = Counting()
    env.infos = INFOS
    client = client_of(each_way, serve_env(each_way, env))
    client.reset()
    assert_same(client.step(0)[4], INFOS)


def test_what_is_returned_stays_as_it_is(near: Way) -> None:
    client = client_of(near, serve_env(near, Counting()))
    client.reset()
    kept = [client.step(0)[0] for _ in range(50)]
    assert [int(observation[1]) for observation in kept] == list(range(1, 51))
    kept[0] += 1  # and is the caller's own


def test_the_generator_is_the_one_of_the_environment(near: Way) -> None:
    here, there = Counting(), Counting()
    client = client_of(near, serve_env(near, there))
    for env in (here, client):
        env.reset(seed=31)
    assert client.np_random_seed == here.np_random_seed == 31
    there.np_random.normal()
    here.np_random.normal()
    assert client.np_random.normal() == here.np_random.normal()


def test_the_generator_of_the_environment_can_be_set(near: Way) -> None:
    there = Counting()
    client = client_of(near, serve_env(near, there))
    client.np_random = np.random.default_rng(5)
    assert client.np_random_seed == -1
    assert there.np_random.normal() == np.random.default_rng(5).normal()


def test_the_generators_of_vector_environments_are_those_of_the_environments(near: Way) -> None:
    here = copies("CartPole-v1", AutoresetMode.NEXT_STEP)
    server = serve_env(near, lambda: copies("CartPole-v1", AutoresetMode.NEXT_STEP))
    client = vector_client_of(near, server)
    for env in (here, client):
        env.reset(seed=31)
    assert tuple(client.np_random_seed) == here.np_random_seed == (31, 32, 33)
    drawn = [generator.normal() for generator in here.np_random]
    assert [generator.normal() for generator in client.np_random] == drawn


def test_the_generator_of_a_vector_environment_that_has_one_can_be_set(near: Way) -> None:
    there = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="vector_entry_point")
    client = vector_client_of(near, serve_env(near, there))
    client.np_random = np.random.default_rng(5)
    assert client.np_random.normal() == np.random.default_rng(5).normal()
    assert client.spec is not None
    assert client.spec.id == "CartPole-v1"


@pytest.mark.parametrize(
    ("options", "make"), [({"num_envs": 2}, client_of), ({}, vector_client_of)]
)
def test_single_and_vector_are_not_taken_for_each_other(
    near: Way, options: dict[str, Any], make: Callable[..., Any]
) -> None:
    server = serve_env(near, Counting, **options)
    with pytest.raises(ConfigMismatch, match="is_vector"):
        make(near, server)
