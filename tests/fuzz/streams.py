"""A stream of bytes as an input of a target: how it is cut, how often it comes, and the bytes."""

from collections.abc import Iterator
from itertools import batched

HEAD_SIZE = 3
MOST_TIMES = 8
"""Long lines are many short ones: an input stays small, and what waits for more is filled all the same."""
MOST_PIECES = 200
"""A byte alone takes as long as many together."""


def split(data: bytes) -> tuple[int, int, bytes]:
    """Return a choice that is the target's, the size of the pieces, and the stream."""
    choice, size, times = data[:HEAD_SIZE]
    stream = data[HEAD_SIZE:] * (1 + times % MOST_TIMES)
    return choice, max(1 + size, len(stream) // MOST_PIECES), stream


def joined(stream: bytes, *, choice: int = 0, size: int = 1, times: int = 1) -> bytes:
    """Return the input that `split` reads so."""
    return bytes((choice, size - 1, times - 1)) + stream


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """Yield the stream in pieces."""
    return map(bytes, batched(stream, size, strict=False))
