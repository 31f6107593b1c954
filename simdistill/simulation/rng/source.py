"""A source of random numbers: the count of its draws, and the number of each."""

import weakref
from collections import Counter
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

BLOCK = 64
"""Numbers that a source takes over from its streams at a time; as many as a block of these has."""


class Numbered(Protocol):
    """Where the uniform numbers of sources come from: an episode's streams, or those of a branch."""

    @property
    def path(self) -> tuple[int, ...]:
        """Seed path."""
        ...

    def block(self, source: str, number: int) -> list[float]:
        """Returns the uniform numbers of a source from `BLOCK * number` on."""
        ...

    def sequence(self, source: str, count: int) -> tuple[tuple[int, ...], int]:
        """Returns seed path and number of the Philox sequence of a draw that needs more than one number."""
        ...


class Source:
    """The draws of one source in one episode, counted from 0.

    A draw is either one uniform number in [0, 1), or a piece of a Philox sequence of its own where one number
    isn't enough. Both are functions of the streams' seed path, of the source's name and of the count.

    Args:
        name: Name of the source.
        streams: Where the numbers come from.
        count: Draws that were made already.

    Attributes:
        name: Name of the source.
        streams: Where the numbers come from.
        calls: Method and arguments -> how often it was called, where that is recorded.
        children: How many sources were spawned from this one.
    """

    __slots__ = ("__weakref__", "_block", "_copies", "_left", "calls", "children", "name", "streams")

    def __init__(self, name: str, streams: Numbered, count: int = 0):
        self.name, self.streams, self.children = name, streams, 0
        self.calls: Counter[tuple[str, str]] | None = None
        self._left: list[
            float
        ] = []  # numbers of the present block that haven't been drawn, the next one last
        self._block = 0  # number of the next block
        self._copies: weakref.WeakSet[Source] | None = None
        self.count = count

    @property
    def count(self) -> int:
        """Draws so far."""
        return BLOCK * self._block - len(self._left)

    @count.setter
    def count(self, count: int) -> None:
        self._block, drawn = divmod(count, BLOCK)
        self._left = []
        if drawn:
            self._load()
            del self._left[BLOCK - drawn :]

    def uniform(self) -> float:
        """Returns the uniform number of the next draw."""
        if not self._left:
            self._load()
        return self._left.pop()

    def skip(self) -> None:
        """Counts a draw whose uniform number isn't used."""
        self.uniform()

    def move(self, streams: Numbered) -> None:
        """Goes on with its count in other streams, and its copies with theirs."""
        self.streams = streams
        self.count = self.count
        for copy in self._copies or ():
            copy.move(streams)

    def copy(self) -> "Source":
        """Returns a source that goes on from the same count."""
        copied = Source(self.name, self.streams, self.count)
        copied.children = self.children
        if self._copies is None:
            self._copies = weakref.WeakSet()
        self._copies.add(copied)
        return copied

    def key(self, path: tuple[int, ...] | None = None) -> int:
        """Returns the 128 bits that key this source's Philox sequences, here or below another path."""
        named = f"{path or self.streams.path} {self.name}".encode()
        return int.from_bytes(blake2b(named, digest_size=16).digest(), "little")

    def place(self, bits: Any) -> None:
        """Sets a bit generator to the beginning of the sequence of the next draw."""
        bits.state = self.state(self.count)

    def state(self, count: int, attempt: int | None = None) -> Any:
        """Returns the state of a Philox bit generator at the beginning of a draw's sequence.

        Args:
            count: Number of the draw.
            attempt: Which of the sequences of that draw; the one that the streams name if left out.
        """
        path = self.streams.path
        if attempt is None:
            path, attempt = self.streams.sequence(self.name, count)
        key, counter = self.key(path), (0, attempt, count, 0)
        return {
            "bit_generator": "Philox",
            "state": {
                "counter": np.array(counter, dtype=np.uint64),
                "key": np.array([key & (2**64 - 1), key >> 64], dtype=np.uint64),
            },
            "buffer": np.zeros(4, dtype=np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }

    def _load(self) -> None:
        self._left = self.streams.block(self.name, self._block)[::-1]
        self._block += 1

    def __reduce__(self) -> tuple:
        return Source, (self.name, self.streams, self.count), (None, {"children": self.children})
