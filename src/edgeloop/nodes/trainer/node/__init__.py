"""TrainerNode: hands a Trainer class to the loop; begin, stop and abort come from there."""

import logging
from collections.abc import Callable

from edgeloop import host
from edgeloop.client import ClientSettings
from edgeloop.nodes.client import NodeClient
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.identity import only_node_in
from edgeloop.nodes.running import run_node
from edgeloop.nodes.settings import TrainerSettings, settings_from_environment
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
        self._settings = settings
        self._client_settings = client_settings

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Ends the program with exit code 2 and a sentence where a setting is wrong, the port is
        taken, the loop refuses the first login, or a training spawned this process.
        """
        run_node(self.serve)

    async def serve(self, *, on_started: Callable[[int], None] | None = None) -> None:
        """``run`` inside an event loop, which raises EdgeloopError; ``on_started`` is told the
        port."""
        settings = self._settings or settings_from_environment(TrainerSettings)
        client_settings = self._client_settings or settings_from_environment(ClientSettings)

        def tell_port(port: int) -> None:
            log.info("The trainer %s is at http://%s:%d", settings.name, settings.host, port)

        with only_node_in(settings.folder):
            async with NodeClient(client_settings) as client:
                desk = TrainerDesk(self._trainer, settings, client=client)
                app = create_app(desk, backdoor=settings.use_backdoor_controls)
                await host.serve(
                    app,
                    host=settings.host,
                    port=settings.port,
                    tasks=desk.tasks(),
                    on_started=on_started or tell_port,
                )
