"""Robots, policies and replay at low latency, without a web stack."""

from edgeloop.stream.action import ActionClient, ActionConfig, ActionServer
from edgeloop.stream.inference import AsyncInferenceClient, InferenceClient, InferenceServer
from edgeloop.stream.service import ClientOptions, ServerOptions
from edgeloop.stream.stores import (
    DataStore,
    FutureWindow,
    LatestWindow,
    Limiter,
    Prioritized,
    QueuedDataStore,
    ReplayBuffer,
    SequenceWindow,
    TrajectoryBuffer,
    Uniform,
    Window,
)
from edgeloop.stream.trainer import TrainerClient, TrainerConfig, TrainerServer
from edgeloop.stream.transport import (
    Client,
    Curve,
    Limits,
    Message,
    Publication,
    Server,
    Subscription,
    Tls,
    connect,
    serve,
)

__all__ = [
    "ActionClient",
    "ActionConfig",
    "ActionServer",
    "AsyncInferenceClient",
    "Client",
    "ClientOptions",
    "Curve",
    "DataStore",
    "FutureWindow",
    "InferenceClient",
    "InferenceServer",
    "LatestWindow",
    "Limiter",
    "Limits",
    "Message",
    "Prioritized",
    "Publication",
    "QueuedDataStore",
    "ReplayBuffer",
    "SequenceWindow",
    "Server",
    "ServerOptions",
    "Subscription",
    "Tls",
    "TrainerClient",
    "TrainerConfig",
    "TrainerServer",
    "TrajectoryBuffer",
    "Uniform",
    "Window",
    "connect",
    "serve",
]
