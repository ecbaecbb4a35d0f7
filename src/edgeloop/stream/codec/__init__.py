"""Bytes <-> plain values with arrays in them; refuses objects.

A message is a *header*, MessagePack that says what there is, and a *body*, the raw bytes of its
arrays, each starting at a multiple of 64. What travels: dicts (keys are str or int), lists, tuples,
str, bytes, bool, int (up to 4096 bits), float, complex, None, numpy arrays and scalars of every
dtype that has no objects in it. All of it arrives as what it was; arrays arrive C-contiguous.
"""

from edgeloop.stream.codec.decoding import Decoder, decode
from edgeloop.stream.codec.encoding import Encoded, encode
from edgeloop.stream.codec.kinds import ALIGNMENT, MAX_DEPTH, MAX_ENTRIES, MAX_HEADER_BYTES
from edgeloop.stream.codec.packing import pack, unpack

__all__ = [
    "ALIGNMENT",
    "MAX_DEPTH",
    "MAX_ENTRIES",
    "MAX_HEADER_BYTES",
    "Decoder",
    "Encoded",
    "decode",
    "encode",
    "pack",
    "unpack",
]
