"""Spaces, infos and generators travel as plain messages and arrive as what they were."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from edgeloop.errors import CodecError, ConfigError
from edgeloop.rl.gym_env.description import describe, description_from
from edgeloop.rl.gym_env.generators import describe_generator, generator_from
from edgeloop.rl.gym_env.infos import put_together, take_apart
from edgeloop.rl.gym_env.spaces import describe_space, space_from
from edgeloop.stream.codec import pack, unpack
from rl.gym_env.environments import Counting
from streams import assert_same

SPACES: list[spaces.Space[Any]] = [
    spaces.Box(-1, 1, (3,)),
    spaces.Box(np.array([-np.inf, 0.0, -2.0]), np.array([5.0, np.inf, 3.0]), dtype=np.float64),
    spaces.Box(0, 255, (4, 5, 3), np.uint8),
    spaces.Box(-np.inf, np.inf, (2,), np.int16),
    spaces.Box(0, 1, (), np.float16),
    spaces.Box(0, 1, (3,), np.bool_),
    spaces.Discrete(5),
    spaces.Discrete(3, start=-7, dtype=np.int32),
    spaces.MultiDiscrete([2, 3, 4]),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]), np.int16, start=np.array([[1, 2], [3, 4]])),
    spaces.MultiBinary(6),
    spaces.MultiBinary([2, 3]),
    spaces.Text(9, min_length=0, charset="zyxßü"),
    spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Dict({"deep": spaces.Box(0, 1, (2,))})}),
    spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Discrete(3))]),
    spaces.Tuple((spaces.Discrete(2), spaces.Tuple((spaces.MultiBinary(2), spaces.Text(3))))),
    spaces.Sequence(spaces.Dict({"x": spaces.Discrete(3)})),
    spaces.Sequence(spaces.Box(0, 1, (2,)), stack=True),
    spaces.OneOf((spaces.Discrete(2), spaces.Box(0, 1, (2,)))),
]


def travelled(value: Any) -> Any:
    return unpack(pack(value))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_arrives_as_an_equal_one_that_draws_the_same(space: spaces.Space[Any]) -> None:
    arrived = space_from(travelled(describe_space(space)))
    assert arrived == space
    assert type(arrived) is type(space)
    assert repr(arrived) == repr(space)
    space.seed(3)
    arrived.seed(3)
    for _ in range(20):
        drawn = space.sample()
        assert_same(arrived.sample(), drawn)
        assert travelled(drawn) in arrived


def test_an_array_of_a_space_that_has_no_bounds_is_told_from_one_that_has() -> None:
    box = space_from(travelled(describe_space(spaces.Box(-np.inf, np.inf, (2,), np.int16))))
    assert isinstance(box, spaces.Box)
    assert not box.is_bounded()


def test_a_box_of_large_pictures_is_described_in_few_bytes() -> None:
    box = spaces.Box(0, 255, (16, 480, 640, 3), np.uint8)
    assert len(pack(describe_space(box))) < 1000


def test_a_space_of_a_kind_that_cannot_travel_is_refused_with_its_place() -> None:
    graph = spaces.Graph(spaces.Discrete(2), None)
    space = spaces.Dict({"robot": spaces.Tuple((spaces.Discrete(2), graph))})
    with pytest.raises(ConfigError, match=r"\['robot'\]: \[1\]: A Graph space cannot travel: use"):
        describe_space(space)


GOOD_BOX = describe_space(spaces.Box(0, 1, (2,)))


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"kind": "Graph"},
        {"kind": ["Box"]},
        {"kind": "Box"},
        {**GOOD_BOX, "low": np.array([2.0, 2.0])},
        {**GOOD_BOX, "low": np.array([2.0, 2.0], np.float32)},
        {**GOOD_BOX, "high": "high"},
        {**GOOD_BOX, "shape": [1 << 40]},
        {**GOOD_BOX, "shape": [3, -1]},
        {**GOOD_BOX, "shape": [[2]]},
        {**GOOD_BOX, "shape": 2},
        {**GOOD_BOX, "low": np.zeros((3,), np.float32)},
        {**GOOD_BOX, "low": np.array(["a", "b"])},
        {**GOOD_BOX, "bounded_below": np.array([1.0, 2.0])},
        {**GOOD_BOX, "bounded_above": np.array([True] * 3)},
        {**GOOD_BOX, "bounded_above": None},
        {"kind": "Discrete", "n": -1, "start": 0, "dtype": "int64"},
        {"kind": "Discrete", "n": 2, "start": 0, "dtype": "object"},
        {"kind": "Discrete", "n": 2, "start": 0, "dtype": "a dtype"},
        {"kind": "MultiDiscrete", "nvec": np.array([0]), "start": None, "dtype": "int64"},
        {"kind": "MultiBinary", "n": -3},
        {"kind": "MultiBinary", "n": "three"},
        {"kind": "Text", "min_length": 5, "max_length": 3, "characters": "ab"},
        {"kind": "Dict", "spaces": [["a", {"kind": "Box"}]]},
        {"kind": "Dict", "spaces": 7},
        {"kind": "Tuple", "spaces": [3]},
        {"kind": "OneOf", "spaces": []},
        {"kind": "Sequence", "of": None, "stack": False},
        None,
        [],
        "Box",
    ],
    ids=str,
)
def test_a_description_that_is_none_is_refused(description: Any) -> None:
    with pytest.raises(CodecError, match="space"):
        space_from(description)


def objects(*items: Any) -> Any:
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array


@pytest.mark.parametrize(
    "infos",
    [
        {},
        {"a": 1, "nested": {"b": None, "c": np.arange(3)}, "list": [1, {"d": "text"}]},
        {"final_obs": objects(None, np.arange(3), None), "_final_obs": np.array([False, True])},
        {"deep": {"list": [objects({"x": np.arange(2)}, None), 5]}},
        {"twice": objects(objects(1, "two"), {"three": objects(None)})},
        {"table": objects(1, None, "a", 2.0, [3], {}).reshape(2, 3)},
        {"single": objects([1, 2]).reshape(())},
        {"none": objects()},
    ],
    ids=str,
)
def test_infos_with_arrays_of_objects_arrive_as_they_were(infos: Any) -> None:
    plain, places = travelled(list(take_apart(infos)))
    assert_equal(put_together(plain, places), infos)


def assert_equal(left: Any, right: Any) -> None:
    if isinstance(right, np.ndarray) and right.dtype == object:
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        for one, other in zip(left.ravel(), right.ravel(), strict=True):
            assert_equal(one, other)
    elif isinstance(right, dict):
        assert list(left) == list(right)
        for key, value in right.items():
            assert_equal(left[key], value)
    elif isinstance(right, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_equal(one, other)
    else:
        assert_same(left, right)


def test_infos_are_not_changed_when_they_are_taken_apart() -> None:
    array = objects(1, None)
    infos = {"a": array, "b": {"c": array}}
    take_apart(infos)
    assert infos["a"] is array
    assert infos["b"]["c"] is array


@pytest.mark.parametrize(
    "places",
    [
        5,
        [5],
        [[]],
        [["missing", [1]]],
        [["a", [7]]],
        [["a", "b", [1]]],
        [["a", 0, 0, [1]]],
        [["text", 0, [1]]],
        [["a", ["b"], [1]]],
        [["a", "shape"]],
        [["a", [-1, -1]]],
        [["a", [1 << 80]]],
    ],
    ids=str,
)
def test_places_that_are_none_are_refused(places: Any) -> None:
    with pytest.raises(CodecError, match="not readable"):
        put_together({"a": [1], "text": "abc"}, places)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_generator_goes_on_where_it_was(kind: str) -> None:
    generator = np.random.Generator(getattr(np.random, kind)(7))
    generator.normal(size=3)
    generator.integers(9, dtype=np.uint32)
    arrived = generator_from(travelled(describe_generator(generator)))
    assert_same(arrived.normal(size=9), generator.normal(size=9))
    assert_same(arrived.integers(9, size=5), generator.integers(9, size=5))


def test_a_generator_that_is_not_of_numpy_is_refused() -> None:
    with pytest.raises(ConfigError, match="a Counting: only numpy's"):
        describe_generator(Counting())


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"bit_generator": "os.system"},
        {"bit_generator": ["PCG64"]},
        {"bit_generator": "PCG64", "state": 5},
        {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}},
        {"bit_generator": "MT19937", "state": {"key": np.zeros(3), "pos": 1}},
    ],
    ids=str,
)
def test_a_state_that_is_none_is_refused(state: Any) -> None:
    with pytest.raises(CodecError, match="state of a generator"):
        generator_from(state)


def test_the_spec_of_a_known_environment_makes_it_here() -> None:
    env = gymnasium.make("Pendulum-v1", g=3.0, max_episode_steps=11)
    spec = description_from(travelled(describe(env))).spec
    assert spec is not None
    assert (spec.id, spec.max_episode_steps, spec.kwargs["g"]) == ("Pendulum-v1", 11, 3.0)
    assert spec.make().unwrapped.g == 3.0  # type: ignore[attr-defined]


def test_the_spec_of_an_unknown_environment_names_no_code() -> None:
    described = describe(gymnasium.make("CartPole-v1"))
    described["spec"]["id"] = "Robot-v3"
    described["spec"]["entry_point"] = "subprocess:Popen"
    spec = description_from(travelled(described)).spec
    assert spec is not None
    assert (spec.name, spec.version, spec.entry_point) == ("Robot", 3, None)


def test_a_spec_that_cannot_travel_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    env = gymnasium.make("CartPole-v1")
    assert env.spec is not None
    env.spec.kwargs["robot"] = object()
    assert describe(env)["spec"] is None
    assert "['kwargs']['robot']" in caplog.text


def test_metadata_that_cannot_travel_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    env = Counting()
    env.metadata = {"render_fps": 5, "engine": object()}
    assert describe(env)["metadata"] == {"render_fps": 5}
    assert "['engine']" in caplog.text


def test_an_environment_with_a_space_that_cannot_travel_is_refused_with_its_name() -> None:
    env = Counting()
    env.action_space = spaces.Graph(spaces.Discrete(2), None)  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"^action_space: A Graph"):
        describe(env)
    env.action_space = spaces.Tuple([env.action_space])  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"^action_space\[0\]: A Graph"):
        describe(env)


@pytest.mark.parametrize(
    "change",
    [
        {"num_envs": "many"},
        {"spaces": []},
        {"spaces": {"action_space": {}}},
        {"metadata": 3},
        {"metadata": {"autoreset_mode": "never"}},
        {"spec": {"id": "not an id!"}},
        {"spec": {"id": 5}},
        {"spec": "CartPole-v1"},
    ],
    ids=str,
)
def test_a_description_of_an_environment_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="description of"):
        description_from({**describe(Counting()), **change})
