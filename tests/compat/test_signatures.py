"""Names of parameters and defaults are agentlace's."""

import dataclasses
import importlib
import inspect
import logging
from typing import Any

import pytest

from compat.material import actor, filled, learner, operator, robot, running
from edgeloop.compat.agentlace.data.sampler import FutureSampler

WARNING, INFO, DEBUG = logging.WARNING, logging.INFO, logging.DEBUG
UNIFORM = FutureSampler.Distribution.UNIFORM

CALLABLES = [
    (
        "action.ActionConfig",
        "port_number, action_keys, observation_keys, broadcast_port=None, version='0.0.1'",
    ),
    ("action.ActionServer", "config, obs_callback, act_callback, log_level=WARNING"),
    ("action.ActionServer.start", "self, threaded=False"),
    ("action.ActionServer.publish_obs", "self, payload"),
    ("action.ActionServer.stop", "self"),
    ("action.ActionClient", "server_ip, config, wait_for_server=False, timeout_ms=800"),
    ("action.ActionClient.obs", "self, keys=None"),
    ("action.ActionClient.act", "self, key, payload={}"),
    ("action.ActionClient.register_obs_callback", "self, callback"),
    ("action.ActionClient.stop", "self"),
    ("inference.InferenceServer", "port_num"),
    ("inference.InferenceServer.register_interface", "self, name, callback"),
    ("inference.InferenceServer.start", "self, threaded=False"),
    ("inference.InferenceServer.stop", "self"),
    ("inference.InferenceClient", "server_ip, port_num"),
    ("inference.InferenceClient.interfaces", "self"),
    ("inference.InferenceClient.call", "self, name, payload"),
    (
        "trainer.TrainerConfig",
        "port_number=5555, broadcast_port=5556, request_types=[], rate_limit=None, "
        "version='0.0.2', experimental_pipeline_port=None",
    ),
    ("trainer.TrainerServer", "config, data_callback=None, request_callback=None, log_level=INFO"),
    ("trainer.TrainerServer.register_data_store", "self, name, data_store"),
    ("trainer.TrainerServer.data_store", "self, name"),
    ("trainer.TrainerServer.store_names", "self"),
    ("trainer.TrainerServer.publish_network", "self, payload"),
    ("trainer.TrainerServer.start", "self, threaded=False"),
    ("trainer.TrainerServer.stop", "self"),
    (
        "trainer.TrainerClient",
        "name, server_ip, config, data_store=None, data_stores={}, log_level=INFO, "
        "wait_for_server=False, timeout_ms=800",
    ),
    ("trainer.TrainerClient.update", "self"),
    ("trainer.TrainerClient.update_datastore", "self, name, from_id, confirm_update=False"),
    ("trainer.TrainerClient.get_server_last_update_id", "self, name"),
    ("trainer.TrainerClient.request", "self, type, payload"),
    ("trainer.TrainerClient.recv_network_callback", "self, callback"),
    ("trainer.TrainerClient.start_async_update", "self, interval=10"),
    ("trainer.TrainerClient.stop", "self"),
    ("trainer.TrainerSMInterface", ""),
    ("trainer.TrainerSMInterface.recv_network_callback", "self, callback"),
    ("trainer.TrainerSMInterface.publish_network", "self, payload"),
    ("trainer.TrainerSMInterface.start", "self, *args, **kwargs"),
    ("trainer.TrainerSMInterface.stop", "self"),
    ("trainer.TrainerSMInterface.update", "self"),
    ("trainer.TrainerSMInterface.register_request_callback", "self, callback"),
    ("trainer.TrainerSMInterface.request", "self, type, payload"),
    ("trainer.TrainerSMInterface.start_async_update", "self, interval=10"),
    ("data.data_store.DataStoreBase", "capacity"),
    ("data.data_store.DataStoreBase.latest_data_id", "self"),
    ("data.data_store.DataStoreBase.get_latest_data", "self, from_id"),
    ("data.data_store.DataStoreBase.insert", "self, data"),
    ("data.data_store.DataStoreBase.batch_insert", "self, batch_data"),
    ("data.data_store.QueuedDataStore", "capacity"),
    ("data.data_store.QueuedDataStore.insert", "self, data"),
    ("data.data_store.QueuedDataStore.get_latest_data", "self, from_id"),
    ("data.data_store.QueuedDataStore.latest_data_id", "self"),
    ("data.trajectory_buffer.DataShape", "name, shape=(), dtype='float32'"),
    (
        "data.trajectory_buffer.TrajectoryBuffer",
        "capacity, data_shapes, seed=0, min_trajectory_length=2, device=None, use_jax=False",
    ),
    (
        "data.trajectory_buffer.TrajectoryBuffer.register_sample_config",
        "self, name, samplers, sample_range=(0, 1), transform=None",
    ),
    ("data.trajectory_buffer.TrajectoryBuffer.insert", "self, data, end_of_trajectory=False"),
    ("data.trajectory_buffer.TrajectoryBuffer.end_trajectory", "self"),
    (
        "data.trajectory_buffer.TrajectoryBuffer.sample",
        "self, sampler_name, batch_size, force_indices=None",
    ),
    ("data.trajectory_buffer.TrajectoryBuffer.serialized", "self"),
    ("data.trajectory_buffer.TrajectoryBuffer.save", "self, path"),
    ("data.trajectory_buffer.TrajectoryBuffer.load", "path, device=None, use_jax=False"),
    (
        "data.trajectory_buffer.TrajectoryBuffer.deserialize",
        "saved, device=None, use_jax=False",
    ),
    ("data.trajectory_buffer.Trajectory", "begin_idx, id, min_length"),
    ("data.trajectory_buffer.Trajectory.valid", "self, current_idx"),
    ("data.trajectory_buffer.Trajectory.to_dict", "self"),
    ("data.trajectory_buffer.Trajectory.from_dict", "data"),
    ("data.trajectory_buffer.TrajectoryBuffer.latest_data_id", "self"),
    ("data.sampler.Sampler", "source=None, use_jax=False"),
    (
        "data.sampler.Sampler.sample",
        "self, sampled_idx, ep_begin, ep_end, key, dataset, source_name",
    ),
    ("data.sampler.LatestSampler", "source=None, use_jax=False"),
    ("data.sampler.SequenceSampler", "squeeze=False, begin=0, end=1, source=None"),
    (
        "data.sampler.FutureSampler",
        "distribution=UNIFORM, max_future=None, lambda_=None, source=None",
    ),
    ("data.sampler.PrioritySampler", "priorities, alpha=1.0, source=None"),
    ("data.sampler.expand_to_shape", "x, shape"),
    (
        "data.sampler.make_jit_sample",
        "sample_config, sample_range, capacity, device=None, use_jax=False",
    ),
    ("data.sampler.make_jit_insert", "device=None, use_jax=False"),
    (
        "data.jaxrl_data_store.TrajectoryBufferDataStore",
        "capacity, data_shapes, device=None, seed=0, min_trajectory_length=2, rlds_logger=None",
    ),
    (
        "data.jaxrl_data_store.ReplayBufferDataStore",
        "observation_space, action_space, capacity, rlds_logger=None",
    ),
    (
        "data.jaxrl_data_store.TrajectoryBufferDataStore.sample",
        "self, sampler_name, batch_size, force_indices=None",
    ),
    ("data.jaxrl_data_store.TrajectoryBufferDataStore.get_latest_data", "self, from_id"),
    ("data.jaxrl_data_store.ReplayBufferDataStore.insert", "self, data"),
    ("data.jaxrl_data_store.ReplayBufferDataStore.latest_data_id", "self"),
    ("data.jaxrl_data_store.ReplayBufferDataStore.get_latest_data", "self, from_id"),
    (
        "data.jaxrl_data_store.ReplayBufferDataStore.sample",
        "self, batch_size, keys=None, indx=None",
    ),
    (
        "data.jaxrl_data_store.make_default_trajectory_buffer",
        "observation_space, action_space, capacity, device=None, rlds_logger=None",
    ),
    (
        "data.tfds.make_datastore",
        "dataset_dir, capacity, type='replay_buffer', data_transform=None",
    ),
    ("data.tfds.populate_datastore", "datastore, dataset, type=None, data_transform=None"),
    ("data.tfds.tensor_spec_to_gym_space", "tensor_spec"),
    ("data.tfds.get_value_from_tensor", "tensor"),
    (
        "data.rlds_writer.RLDSWriter",
        "dataset_name, data_spec, data_directory, version, *, max_episodes_per_file=1000",
    ),
    ("data.rlds_writer.RLDSWriter.__call__", "self, data"),
    ("data.rlds_writer.RLDSWriter.close", "self"),
    (
        "data.tf_agents_episode_buffer.EpisodicTFDataStore",
        "capacity, data_spec, rlds_logger=None",
    ),
    ("data.tf_agents_episode_buffer.EpisodicTFDataStore.insert", "self, data"),
    ("data.tf_agents_episode_buffer.EpisodicTFDataStore.as_dataset", "self"),
    ("gym_env.GymEnvClient", "host='localhost', port=5546, retry_interval=0.5, timeout_ms=800"),
    ("gym_env.GymEnvClient.step", "self, action"),
    ("gym_env.GymEnvClient.reset", "self, **kwargs"),
    ("gym_env.GymEnvClient.render", "self, **kwargs"),
    ("gym_env.GymEnvClient.close", "self"),
    ("gym_env.GymEnvServerWrapper", "env, port=5546"),
    ("gym_env.GymEnvServerWrapper.start", "self, threaded=False"),
    ("gym_env.GymEnvServerWrapper.stop", "self"),
    ("internal.utils.mat_to_jpeg", "img"),
    ("internal.utils.jpeg_to_mat", "buf"),
    ("internal.utils.compute_hash", "obj"),
    ("internal.utils.print_size", "obj"),
    ("internal.utils.print_error", "text"),
    ("internal.utils.print_warning", "text"),
    ("internal.utils.make_compression_method", "compression"),
    (
        "zmq_wrapper.req_rep.ReqRepServer",
        "port=5556, impl_callback=None, log_level=DEBUG, compression='lz4'",
    ),
    ("zmq_wrapper.req_rep.ReqRepServer.run", "self"),
    ("zmq_wrapper.req_rep.ReqRepServer.stop", "self"),
    ("zmq_wrapper.req_rep.ReqRepServer.reset", "self"),
    (
        "zmq_wrapper.req_rep.ReqRepClient",
        "ip, port=5556, timeout_ms=800, log_level=DEBUG, compression='lz4'",
    ),
    ("zmq_wrapper.req_rep.ReqRepClient.send_msg", "self, request, wait_for_response=True"),
    ("zmq_wrapper.req_rep.ReqRepClient.reset_socket", "self"),
    ("zmq_wrapper.broadcast.BroadcastServer", "port=5557, log_level=DEBUG, compression='lz4'"),
    ("zmq_wrapper.broadcast.BroadcastServer.broadcast", "self, message"),
    (
        "zmq_wrapper.broadcast.BroadcastClient",
        "ip, port=5557, log_level=DEBUG, comppression='lz4'",
    ),
    ("zmq_wrapper.broadcast.BroadcastClient.async_start", "self, callback"),
    ("zmq_wrapper.broadcast.BroadcastClient.stop", "self"),
    ("zmq_wrapper.pair.PairServer", "port=5557, log_level=DEBUG, compression='lz4'"),
    ("zmq_wrapper.pair.PairServer.register_callback", "self, callback"),
    ("zmq_wrapper.pair.PairServer.broadcast", "self, message"),
    ("zmq_wrapper.pair.PairServer.run", "self"),
    ("zmq_wrapper.pair.PairClient", "ip, port=5557, log_level=DEBUG, compression='lz4'"),
    ("zmq_wrapper.pair.PairClient.register_callback", "self, callback"),
    ("zmq_wrapper.pair.PairClient.broadcast", "self, message"),
    ("zmq_wrapper.pair.PairClient.run", "self"),
    ("zmq_wrapper.pipeline.Producer", "ip='localhost', port=5547, compression='lz4'"),
    ("zmq_wrapper.pipeline.Producer.send_msg", "self, msg"),
    ("zmq_wrapper.pipeline.Consumer", "callback_fn, port=5547, compression='lz4'"),
    ("zmq_wrapper.pipeline.Consumer.start", "self"),
    ("zmq_wrapper.pipeline.Consumer.async_start", "self"),
    ("zmq_wrapper.pipeline.Consumer.stop", "self"),
]

EXTRA = [
    # agentlace's own tests pass what its newest release refuses.
    ("data.jaxrl_data_store.TrajectoryBufferDataStore.insert", "data", "end_of_trajectory"),
]


def found(path: str) -> Any:
    """The class or function of this name."""
    names = path.split(".")
    depth = next(i for i, name in enumerate(names) if name[0].isupper() or i == len(names) - 1)
    value: Any = importlib.import_module(".".join(["edgeloop.compat.agentlace", *names[:depth]]))
    for name in names[depth:]:
        value = getattr(value, name)
    return value


def parameters(value: Any) -> list[tuple[str, Any, Any]]:
    """Their names, kinds and defaults; a dataclass's list that is made each time as that list."""
    made = {
        field.name: field.default_factory()
        for field in (dataclasses.fields(value) if dataclasses.is_dataclass(value) else ())
        if field.default_factory is not dataclasses.MISSING
    }
    return [
        (p.name, p.kind, made.get(p.name, p.default))
        for p in inspect.signature(value).parameters.values()
    ]


@pytest.mark.parametrize(("path", "expected"), CALLABLES, ids=[path for path, _ in CALLABLES])
def test_parameters_and_defaults_are_agentlaces(path: str, expected: str) -> None:
    assert parameters(found(path)) == parameters(eval(f"lambda {expected}: None", globals()))


@pytest.mark.parametrize(("path", "first", "more"), EXTRA)
def test_what_is_added_may_be_left_out(path: str, first: str, more: str) -> None:
    (_, one, *others) = parameters(found(path))
    assert one[0] == first
    assert [(name, default) for name, _, default in others] == [(more, False)]


def test_attributes_are_agentlaces() -> None:
    with running(learner("a")) as server:
        client = actor(server, filled(1))
        client.recv_network_callback(print)
        client.stop()
    seen = {
        server: "queue request_types data_stores last_update_id_map config data_callback thread "
        "req_rep_server broadcast_server",
        client: "client_name req_rep_client broadcast_client server_ip config request_types "
        "data_store data_stores_map update_thread stop_update_flag last_request_time log_level "
        "producer",
    }
    with robot() as machine:
        person = operator(machine)
        seen[machine] = "config server broadcast thread"
        seen[person] = "client config server_ip broadcast_client"
    seen[client.req_rep_client] = seen[person.client] = "timeout_ms ip port reset_socket"
    for thing, names in seen.items():
        assert [name for name in names.split() if not hasattr(thing, name)] == []
