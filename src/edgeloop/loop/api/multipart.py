"""Multipart bodies as they come: each part goes to a sink of its own, in a thread, bounded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from edgeloop.errors import InputError, TooLarge, Unprocessable

_AT_ONCE = 1 << 19
"""So many bytes are gathered before a thread looks at them."""


class Sink(Protocol):
    """Takes the bytes of one part, in a thread."""

    def write(self, data: bytes, /) -> object:
        """The next bytes; raises what is wrong with them."""
        ...


OpenSink = Callable[[str], Sink]
"""A sink for the part with this file name, made in a thread."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a body may be, how many parts it may have; ``advice`` for who sends more."""

    max_bytes: int
    max_parts: int
    advice: str


async def receive_parts(request: Request, open_sink: OpenSink, bounds: Bounds) -> None:
    """Send the parts of a body that are files to their sinks; other bodies count as empty.

    Raises TooLarge for the body, Unprocessable for too many parts, InputError for a broken one,
    and what the sinks raise. What was not read then is read by ``BoundedBodies``.
    """
    said = int(request.headers.get("content-length", "0"))
    if said > bounds.max_bytes:
        raise _too_large(f"{said} bytes", bounds)
    reader = _reader(request.headers.get("content-type", ""), open_sink, bounds)
    received, waiting = 0, bytearray()
    async for chunk in request.stream():
        received += len(chunk)
        if received > bounds.max_bytes:
            raise _too_large("more", bounds)
        waiting += chunk
        if len(waiting) >= _AT_ONCE:
            await asyncio.to_thread(reader.feed, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(reader.finish, bytes(waiting))


def _too_large(size: str, bounds: Bounds) -> TooLarge:
    accepted = f"the loop accepts up to {bounds.max_bytes} bytes at once"
    return TooLarge(f"The upload has {size}, {accepted}: {bounds.advice}")


def _reader(content_type: str, open_sink: OpenSink, bounds: Bounds) -> "_Reader":
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return _Reader()
    if not options.get(b"boundary"):
        raise InputError("The form has no boundary: send it as multipart/form-data with one.")
    return _PartReader(options[b"boundary"], open_sink, bounds)


class _Reader:
    """Reads a body that has no parts."""

    def feed(self, data: bytes) -> None:
        """Look at the next bytes."""

    def finish(self, data: bytes) -> None:
        """Look at the last bytes."""
        self.feed(data)


class _PartReader(_Reader):
    def __init__(self, boundary: bytes, open_sink: OpenSink, bounds: Bounds) -> None:
        self._open_sink = open_sink
        self._bounds = bounds
        self._parts = 0
        self._has_ended = False
        self._header = _Header()
        self._sink: Sink | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header.add_name,
                    "on_header_value": self._header.add_value,
                    "on_header_end": self._header.end,
                    "on_headers_finished": self._open,
                    "on_part_data": self._write,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _broken(error) from error

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(error) from error

    def finish(self, data: bytes) -> None:
        if data:
            self.feed(data)
        if not self._has_ended and self._parts:
            raise InputError("The form ended within a part: send it again.")

    def _begin(self) -> None:
        self._header.clear()
        self._parts += 1
        if self._parts > self._bounds.max_parts:
            raise Unprocessable(
                f"The upload has more than {self._bounds.max_parts} parts: {self._bounds.advice}"
            )

    def _open(self) -> None:
        name = self._header.file_name
        self._sink = None if name is None else self._open_sink(name)

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink.write(data[start:end])

    def _end(self) -> None:
        self._has_ended = True


@dataclass(slots=True)
class _Header:
    """The header of a part, as far as it was read; of its lines only one matters."""

    name: bytes = b""
    value: bytes = b""
    disposition: bytes = field(default=b"")

    def clear(self) -> None:
        self.name = self.value = self.disposition = b""

    def add_name(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def add_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def end(self) -> None:
        if self.name.lower() == b"content-disposition":
            self.disposition = self.value
        self.name = self.value = b""

    @property
    def file_name(self) -> str | None:
        """The name of a file, None for a plain field."""
        _, options = parse_options_header(self.disposition)
        name = options.get(b"filename")
        return None if name is None else _text(name)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _broken(error: FormParserError) -> InputError:
    return InputError(f"The form is broken ({error}): send it again.")
