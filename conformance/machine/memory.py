"""What the memory of one side must hold, byte by byte, and where that is in doubt. Pure: nothing is moved here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CERTAIN, EITHER, ANY = range(3)  # the byte; it or another one; nobody can say


class Piece(NamedTuple):
    """Bytes on their way: where they go, what they are, and how sure that is. Each of shape (n,)."""

    to: NDArray[np.int64]
    data: NDArray[np.uint8]
    doubt: NDArray[np.uint8]


class Memory:
    """Bytes of a region and of the guards around it.

    `late` marks what a transfer may still write that nobody has stopped: no later write makes it certain.
    """

    def __init__(self, content: NDArray[np.uint8]) -> None:
        self.known = content.copy()
        self.also = content.copy()
        self.doubt = np.zeros(len(content), np.uint8)
        self.late = np.zeros(len(content), np.bool_)

    def fill(self, content: NDArray[np.uint8]) -> None:
        """Take what its owner has written all over it."""
        self.known = content.copy()
        self.doubt[:] = CERTAIN

    def taken(self, at: NDArray[np.int64], to: NDArray[np.int64]) -> Piece:
        """Return a copy of the bytes `at`, on their way to `to`; what has two possible values is anything elsewhere."""
        doubt = np.where((self.doubt[at] != CERTAIN) | self.late[at], ANY, CERTAIN).astype(np.uint8)
        return Piece(to, self.known[at].copy(), doubt)

    def landed(self, piece: Piece) -> None:
        """Take a piece that has arrived."""
        self.known[piece.to] = piece.data
        self.doubt[piece.to] = piece.doubt

    def may_land(self, piece: Piece) -> None:
        """Allow each byte of a piece to have arrived, or not."""
        was = self.doubt[piece.to]
        self.also[piece.to] = piece.data
        self.doubt[piece.to] = np.where((was == CERTAIN) & (piece.doubt == CERTAIN), EITHER, ANY)

    def anything(self, at: NDArray[np.int64]) -> None:
        """Allow these bytes to be anything, until they are written again."""
        self.doubt[at] = ANY

    def never_sure(self, at: NDArray[np.int64]) -> None:
        """Allow these bytes to be written at any time from now on."""
        self.late[at] = True

    def wrong(self, found: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the offsets of bytes that are what they cannot be."""
        right = (found == self.known) | (self.doubt == ANY) | self.late
        right |= (self.doubt == EITHER) & (found == self.also)
        return np.flatnonzero(~right)

    def forgive(self, wrong: NDArray[np.int64]) -> None:
        """Take what is wrong as it is: it was told already."""
        self.doubt[wrong] = ANY
