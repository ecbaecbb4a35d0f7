"""The loop's figures for Prometheus: counted as requests pass, or set when they are asked for."""

import time

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from edgeloop import __version__
from edgeloop.loop.services.operations import Activity, Stock

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_DURATIONS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LAGS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
_REQUEST = ("method", "route")


class Metrics:
    """The figures of one loop: every app has a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("edgeloop", "Which edgeloop this is.", registry=registry).info(
            {"version": __version__}
        )
        self._http(registry)
        self._state(registry)

    def request(  # noqa: PLR0913 - what there is to say of a request
        self,
        method: str,
        route: str,
        *,
        status: int,
        seconds: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)
        if received_bytes:
            self._uploaded.labels(method, route).inc(received_bytes)
        if sent_bytes:
            self._downloaded.labels(method, route).inc(sent_bytes)

    def lag(self, seconds: float) -> None:
        """Count how much later than it should the event loop came to something."""
        self._lag.observe(seconds)

    def set_stock(self, stock: Stock) -> None:
        """Show what lies in the loop, as of now."""
        for state, count in stock.images.items():
            self._images.labels(state).set(count)
        self._storage.labels("images").set(stock.image_bytes)
        self._storage.labels("models").set(stock.model_bytes)
        self._counted.set(time.time())

    def set_activity(self, activity: Activity) -> None:
        """Show what is going on."""
        for queue, count in activity.trainings.items():
            self._trainings.labels(queue).set(count)
        self._nodes.clear()
        for kind, count in activity.nodes_online.items():
            self._nodes.labels(kind).set(count)
        if activity.database_bytes is not None:
            self._database.set(activity.database_bytes)
        if activity.free_bytes is not None:
            self._free.set(activity.free_bytes)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format: milliseconds, so not in an event loop."""
        return generate_latest(self._registry)

    def _http(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "edgeloop_requests",
            "Requests that were answered.",
            (*_REQUEST, "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "edgeloop_request_duration_seconds",
            "From a request's first byte to the answer's last.",
            _REQUEST,
            buckets=_DURATIONS_S,
            registry=registry,
        )
        self.in_flight = Gauge(
            "edgeloop_requests_in_flight", "Requests that are being answered.", registry=registry
        )
        self.sockets = Gauge("edgeloop_sockets_open", "Open web sockets.", registry=registry)
        self._uploaded = Counter(
            "edgeloop_upload_bytes", "Bytes of request bodies.", _REQUEST, registry=registry
        )
        self._downloaded = Counter(
            "edgeloop_download_bytes", "Bytes of answers' bodies.", _REQUEST, registry=registry
        )
        self._lag = Histogram(
            "edgeloop_event_loop_lag_seconds",
            "How much later than it should the event loop came to something, twice a second.",
            buckets=_LAGS_S,
            registry=registry,
        )

    def _state(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"edgeloop_{name}", what, labels, registry=registry)

        self._images = gauge("images", "Images of all projects.", "state")
        self._storage = gauge(
            "storage_bytes", "Bytes of files; one that two projects have counts twice.", "kind"
        )
        self._counted = gauge(
            "counted_timestamp_seconds", "When images and storage bytes were counted (Unix time)."
        )
        self._trainings = gauge("trainings", "Trainings by queue: waiting, running.", "queue")
        self._nodes = gauge("nodes_online", "Nodes that are connected or heard from.", "kind")
        self._database = gauge("database_bytes", "Size of the database with its journal.")
        self._free = gauge("storage_free_bytes", "Free space where the files are.")
