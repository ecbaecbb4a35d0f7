"""A model that takes its time, with and without batches, as a process."""

import threading

from edgeloop.stream import InferenceServer, Message
from stream.processes import obey

BATCH_S = 0.004
ITEM_S = 0.0001


class Accelerator:
    """One at a time, as a GPU: a fixed time for each batch, and a little for each item in it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._never = threading.Event()

    def alone(self, payload: Message) -> Message:
        """One call."""
        with self._turn:
            self._never.wait(BATCH_S + ITEM_S)
        return {"y": payload["x"].sum()}

    def together(self, batch: Message) -> Message:
        """As many calls as came."""
        with self._turn:
            self._never.wait(BATCH_S + ITEM_S * len(batch["x"]))
        return {"y": batch["x"].sum(axis=1)}


if __name__ == "__main__":
    accelerator = Accelerator()
    server = InferenceServer()
    server.register_interface("alone", accelerator.alone)
    server.register_interface("together", accelerator.together, batch_size=16)
    server.register_interface("plain", lambda payload: payload)
    server.register_interface("batched", lambda batch: batch, batch_size=16)
    server.start()
    obey(server.url)
