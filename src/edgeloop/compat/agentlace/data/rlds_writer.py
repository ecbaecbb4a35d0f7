"""agentlace.data.tfds (in work)."""
