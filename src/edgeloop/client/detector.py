"""DetectorClient: ask a running detector over REST."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from edgeloop.client.call import refusal
from edgeloop.errors import LoopRejected, LoopUnreachable
from edgeloop.protocol.payloads.images import read_image_metadata
from edgeloop.types import ImageMetadata, UploadWish

_TIMING = re.compile(r"(\w+);dur=([\d.]+)")


@dataclass(frozen=True, slots=True)
class DetectorAnswer:
    """What a detector saw; ``timings_ms`` says how long each of its steps took, by name."""

    metadata: ImageMetadata
    timings_ms: Mapping[str, float]


class DetectorClient:
    """Sends images to a detector at ``url``, such as ``http://localhost:8004``."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._http.close()

    def detect(
        self,
        image: bytes,
        *,
        frame_id: str | None = None,
        camera_id: str | None = None,
        autoupload: UploadWish = "filtered",
    ) -> DetectorAnswer:
        """Find things in JPEG bytes; ``frame_id`` names the image in the loop."""
        headers = {"frame-id": frame_id, "camera-id": camera_id, "autoupload": autoupload}
        response = self._request(
            "POST",
            "/detect",
            files={"file": ("image.jpg", image, "image/jpeg")},
            headers={name: value for name, value in headers.items() if value},
        )
        timings = _TIMING.findall(response.headers.get("server-timing", ""))
        return DetectorAnswer(
            read_image_metadata(response.json()),
            {step: float(duration) for step, duration in timings},
        )

    def about(self) -> dict[str, Any]:
        """State, model and mode of the detector."""
        answer = self._request("GET", "/about").json()
        if not isinstance(answer, dict):
            raise LoopRejected(f"{self._http.base_url} is no detector.")
        return answer

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            message = f"The detector at {self._http.base_url} does not answer ({error})."
            raise LoopUnreachable(message) from error
        if not response.is_success:
            raise refusal(response)
        return response
