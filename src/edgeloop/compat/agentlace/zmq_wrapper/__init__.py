"""agentlace.zmq_wrapper: its ways to talk, without ZeroMQ underneath."""

from edgeloop.compat.agentlace.zmq_wrapper import broadcast, pair, pipeline, req_rep

__all__ = ["broadcast", "pair", "pipeline", "req_rep"]
