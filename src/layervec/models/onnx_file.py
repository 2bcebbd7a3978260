"""Leave outputs out of an ONNX file, so that a runtime does not work for what nobody reads.

Knows the few fields of the format that this takes, and the wire format of protocol buffers, which is short; so the
package onnx is not needed. https://protobuf.dev/programming-guides/encoding/, https://github.com/onnx/onnx, onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Set

GRAPH = 7  # fields: ModelProto.graph
NODE, OUTPUT = 1, 12  # of GraphProto
NAME = 1  # of ValueInfoProto
NODE_INPUT, NODE_OUTPUT, ATTRIBUTE = 1, 2, 5  # of NodeProto
INNER_GRAPHS = (6, 11)  # of AttributeProto: g, graphs
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def with_outputs(model: bytes, kept: Set[str]) -> bytes:
    """Return the model with these outputs alone and what they need. ValueError where it is no ONNX model."""
    parts = []
    for field, whole, value in _fields(model):
        parts.append(_field(GRAPH, _graph(value, kept)) if field == GRAPH else whole)
    return b"".join(parts)


def _graph(graph: bytes, kept: Set[str]) -> bytes:
    """Return a graph without the other outputs and without the nodes that only they need."""
    fields = [entry for entry in _fields(graph) if entry[0] != OUTPUT or kept & set(_texts(entry[2], NAME))]
    needed = set(kept)
    parts = []
    for field, whole, value in reversed(fields):  # nodes stand after those that they need
        if field == NODE:
            if not needed & set(_texts(value, NODE_OUTPUT)):
                continue
            needed |= _inputs(value)
        parts.append(whole)
    return b"".join(reversed(parts))


def _inputs(node: bytes) -> set[str]:
    """Names that a node reads, in the graphs inside it as well."""
    names = set(_texts(node, NODE_INPUT))
    for field, _, attribute in _fields(node):
        if field == ATTRIBUTE:
            for part, _, inner in _fields(attribute):
                if part in INNER_GRAPHS:
                    names |= _read_in(inner)
    return names


def _read_in(graph: bytes) -> set[str]:
    """Names that a graph inside a node reads; those of its own among them do no harm."""
    names: set[str] = set()
    for field, _, value in _fields(graph):
        if field == NODE:
            names |= _inputs(value)
        elif field == OUTPUT:
            names |= set(_texts(value, NAME))
    return names


def _texts(message: bytes, wanted: int) -> list[str]:
    return [value.decode("utf-8", "replace") for field, _, value in _fields(message) if field == wanted]


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each field of a message: its number, all of its bytes, and its content if that is bytes."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        value = b""
        kind = tag & 7
        if kind == VARINT:
            _, at = _varint(message, at)
        elif kind == BYTES:
            size, at = _varint(message, at)
            value = message[at : at + size]
            at += size
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"there is no wire type {kind}")
        if at > len(message):
            raise ValueError("a field ends beyond its message")
        yield tag >> 3, message[start:at], value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    number = shift = 0
    while at < len(message):
        number |= (message[at] & 127) << shift
        shift += 7
        at += 1
        if message[at - 1] < 128:
            return number, at
    raise ValueError("a number ends beyond its message")


def _field(number: int, value: bytes) -> bytes:
    return _number(number << 3 | BYTES) + _number(len(value)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
