"""DetectorNode: builds the parts of a detector and runs them."""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property

from edgeloop import __version__, host
from edgeloop.client import ClientSettings
from edgeloop.nodes.client import NodeClient
from edgeloop.nodes.contracts import Detector
from edgeloop.nodes.detector.control import Control, Identity, Parts, Reporter
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.nodes.detector.pipeline import Pipeline
from edgeloop.nodes.detector.routes import create_app
from edgeloop.nodes.detector.selection import Band, Selector
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.nodes.detector.updater import Updater
from edgeloop.nodes.detector.uploader import Uploader
from edgeloop.nodes.identity import node_id, only_node_in
from edgeloop.nodes.model_store import ModelStore
from edgeloop.nodes.running import run_node
from edgeloop.nodes.settings import DetectorSettings, settings_from_environment

log = logging.getLogger(__name__)


class DetectorNode:
    """Hosts a Detector: answers frames, uploads those worth a look, follows the loop's target.

    Without arguments the settings come from the environment.
    """

    def __init__(
        self,
        detector_class: type[Detector],
        settings: DetectorSettings | None = None,
        *,
        client_settings: ClientSettings | None = None,
    ) -> None:
        self._detector_class = detector_class
        self._settings = settings
        self._client_settings = client_settings

    @cached_property
    def settings(self) -> DetectorSettings:
        """What it was given, or what the environment says; raises ConfigError."""
        return self._settings or settings_from_environment(DetectorSettings)

    @cached_property
    def client_settings(self) -> ClientSettings:
        """What it was given, or what the environment says; raises ConfigError."""
        return self._client_settings or settings_from_environment(ClientSettings)

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Ends the program with exit code 2 and a sentence where a setting is wrong, the port is
        taken, or the loop refuses the first login.
        """
        run_node(lambda: self.serve(on_started=lambda _port: host.spare_start_from_collection()))

    async def serve(self, *, on_started: Callable[[int], None] | None = None) -> None:
        """``run`` inside an event loop, which raises EdgeloopError; ``on_started`` is told the
        port."""
        with only_node_in(self.settings.folder):
            async with NodeClient(self.client_settings) as client:
                await self._serve(client, on_started)

    async def _serve(self, client: NodeClient, on_started: Callable[[int], None] | None) -> None:
        settings = self.settings
        parts = await asyncio.to_thread(self._build, client)
        control = Control(self._identity(), parts)
        reporter = Reporter(control, client, interval_s=settings.report_interval_s)
        app = create_app(
            parts.pipeline,
            control,
            max_request_bytes=settings.max_request_bytes,
            has_backdoors=settings.use_backdoor_controls,
        )
        tasks: list[host.Task] = [parts.updater.run, parts.uploader.run, reporter.run]
        if await asyncio.to_thread(parts.store.current) is None:
            tasks.append(client.until_unknown)  # what has a model detects, whatever the loop says
        self._greet()
        try:
            await host.serve(
                app,
                host=settings.host,
                port=settings.port,
                tasks=tasks,
                on_started=on_started,
            )
        finally:
            await parts.slot.close()

    def _build(self, client: NodeClient) -> Parts:
        settings = self.settings
        slot = ModelSlot(self._detector_class, max_waiting=settings.max_waiting)
        store = ModelStore(settings.folder / "models", keep=settings.keep_models)
        outbox = Outbox(settings.folder / "outbox", max_size=settings.max_outbox_size)
        band = Band(settings.min_uncertain_threshold, settings.max_uncertain_threshold)
        selector = Selector(band, memory_s=settings.memory_s)
        updater = Updater(
            slot,
            store,
            client,
            mode=settings.version_control_default,
            interval_s=settings.target_interval_s,
        )
        return Parts(
            slot=slot,
            store=store,
            outbox=outbox,
            pipeline=Pipeline(slot, selector, outbox),
            uploader=Uploader(outbox, client),
            updater=updater,
        )

    def _identity(self) -> Identity:
        return Identity(
            id=node_id(self.settings.folder, self.settings.name),
            name=self.settings.name,
            model_format=self._detector_class.model_format,
            version=self.settings.version or f"edgeloop {__version__}",
        )

    def _greet(self) -> None:
        name, loop = self.settings.name, self.client_settings
        if loop.organization and loop.project:
            log.info(
                "detector %s works for %s/%s at %s",
                name,
                loop.organization,
                loop.project,
                loop.base_url,
            )
        else:
            log.warning(
                "detector %s has no project, so it uploads nothing and follows no model: "
                "set LOOP_ORGANIZATION and LOOP_PROJECT.",
                name,
            )
