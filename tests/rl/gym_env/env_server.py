"""A server of a counting environment as a process of its own: says its URL; until it is killed."""

import sys

from edgeloop.rl.gym_env import GymEnvServer
from rl.gym_env.environments import Counting

if __name__ == "__main__":
    with GymEnvServer(Counting, num_envs=int(sys.argv[2]), url=sys.argv[1]) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
