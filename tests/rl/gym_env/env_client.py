"""A client as a process of its own: resets, steps, says so, and then only looks alive."""

import sys

from edgeloop.rl.gym_env import GymEnvClient

if __name__ == "__main__":
    client = GymEnvClient(sys.argv[1], timeout_s=30)
    client.reset()
    client.step(0)
    sys.stdout.write("stepped\n")
    sys.stdout.flush()
    sys.stdin.read()
