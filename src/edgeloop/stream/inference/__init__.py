"""The pair of a model: a server with interfaces by name, and clients that call them."""

from edgeloop.stream.inference.awaiting import AsyncInferenceClient
from edgeloop.stream.inference.client import InferenceClient
from edgeloop.stream.inference.server import InferenceServer

__all__ = ["AsyncInferenceClient", "InferenceClient", "InferenceServer"]
