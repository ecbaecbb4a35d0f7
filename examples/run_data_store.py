"""A client's transitions arrive in the store of a server, each of them once.

python examples/run_data_store.py              both in one process
python examples/run_data_store.py --server     in one terminal; end and start it as you like
python examples/run_data_store.py --client     in others
"""

import argparse
import threading
from contextlib import suppress
from typing import Any

import numpy as np

from edgeloop.stream import (
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
)

STORE = "arm"


def serve(arguments: argparse.Namespace) -> TrainerServer:
    """Receive transitions, sample what is there, and publish what was found in it."""
    store = ReplayBuffer(capacity=100_000)

    def look(name: str, batch: Any) -> None:
        mean = float(store.sample(64)["rewards"].mean())
        version = server.publish_network({"mean_reward": mean})
        print(f"server: {store.cursor} transitions, mean reward {mean:.2f}, v{version}", flush=True)

    config = TrainerConfig(port_number=arguments.port)
    server = TrainerServer(config, look, url=f"tcp://{arguments.ip}:{arguments.port}")
    server.register_data_store(STORE, store)
    return server


def collect(arguments: argparse.Namespace, server: str) -> None:
    """Gather transitions, which a thread sends meanwhile, and hear what is found in them."""
    store = QueuedDataStore(10_000)
    rng = np.random.default_rng()
    pause = threading.Event()
    config = TrainerConfig(port_number=arguments.port)
    with TrainerClient(STORE, server, config, store, wait_for_server_s=60) as client:
        client.recv_network_callback(lambda network: print(f"client: {network}", flush=True))
        client.start_async_update(interval_s=0.5)
        for _ in range(arguments.transitions):
            store.insert(
                {
                    "observations": rng.normal(size=7).astype(np.float32),
                    "actions": rng.normal(size=2).astype(np.float32),
                    "rewards": np.float32(rng.random()),
                    "masks": np.float32(1),
                }
            )
            pause.wait(1 / arguments.rate)
        client.update(timeout_s=60)
        print(f"client: {client.counters()['transitions']:.0f} transitions arrived", flush=True)


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Transitions from clients to a server.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--server", action="store_true", help="only receive")
    mode.add_argument("--client", action="store_true", help="only send")
    parser.add_argument("--ip", default="127.0.0.1", help="of the server; 0.0.0.0 there")
    parser.add_argument("--port", type=int, default=5557, help="of the server, %(default)s")
    parser.add_argument("--transitions", type=int, default=300, help="of a client, %(default)s")
    parser.add_argument("--rate", type=float, default=100, help="of them per second, %(default)s")
    return parser.parse_args()


def main() -> None:
    """Receive, send, or both."""
    arguments = parse()
    if arguments.client:
        collect(arguments, arguments.ip)
        return
    if not arguments.server:
        arguments.port = 0
    server = serve(arguments)
    print(f"server: at {server.url}", flush=True)
    if arguments.server:
        server.run()
        return
    with server:
        collect(arguments, server.url)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
