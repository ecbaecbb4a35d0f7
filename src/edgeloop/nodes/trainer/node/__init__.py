"""TrainerNode: hands a Trainer class to the loop; begin, stop and abort come from there."""

import asyncio
import logging
from collections.abc import Callable

from edgeloop import host
from edgeloop.client import ClientSettings
from edgeloop.nodes.client import NodeClient
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.identity import only_node_in
from edgeloop.nodes.settings import TrainerSettings
from edgeloop.nodes.trainer.node.checks import check_trainer_class
from edgeloop.nodes.trainer.node.desk import TrainerDesk
from edgeloop.nodes.trainer.routes import create_app

__all__ = ["TrainerNode", "check_trainer_class"]

log = logging.getLogger(__name__)


class TrainerNode:
    """Offers a trainer to the loop and does the trainings that it asks for."""

    def __init__(
        self,
        trainer: type[Trainer],
        settings: TrainerSettings | None = None,
        *,
        client_settings: ClientSettings | None = None,
    ) -> None:
        check_trainer_class(trainer)
        self._trainer = trainer
        self._settings = settings or TrainerSettings()
        self._client_settings = client_settings or ClientSettings()

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; raises ConfigError in a process spawned by a training."""
        host.refuse_unguarded_start()
        host.show_log()
        asyncio.run(self.serve())

    async def serve(self, *, on_started: Callable[[int], None] | None = None) -> None:
        """The same inside an event loop; ``on_started`` is told the port."""
        settings = self._settings
        with only_node_in(settings.folder):
            async with NodeClient(self._client_settings) as client:
                desk = TrainerDesk(self._trainer, settings, client=client)
                app = create_app(desk, backdoor=settings.use_backdoor_controls)
                await host.serve(
                    app,
                    host=settings.host,
                    port=settings.port,
                    tasks=desk.tasks(),
                    on_started=on_started or self._tell_port,
                )

    def _tell_port(self, port: int) -> None:
        where = f"http://{self._settings.host}:{port}"
        log.info("The trainer %s is at %s", self._settings.name, where)
