"""Robots, policies and replay at low latency, without a web stack."""
