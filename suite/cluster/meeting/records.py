"""Lines of records on their way to rank 0: cut into pieces that a message can hold, and put together again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cluster.meeting.messages import MAX_TEXT, Piece
from suite.errors import TransferFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 64 << 20  # characters


def pieces(line: str, first: int) -> Iterator[Piece]:
    """Yield a line's pieces, numbered from `first`; `TransferFailed` for what is no line."""
    if not line or "\n" in line or len(line) > MAX_LINE:
        raise TransferFailed("bad-line", f"a record of {len(line)} characters; one line of 1 to {MAX_LINE} is kept")
    starts = range(0, len(line), MAX_TEXT)
    for number, start in enumerate(starts):
        text = line[start : start + MAX_TEXT]
        yield Piece(index=first + number, text=text, ends=number == len(starts) - 1)


class Assembly:
    """One rank's lines, from its pieces in their order."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._next = 0

    def add(self, piece: Piece) -> str | None:
        """Return the line that this piece ends, or None; `TransferFailed` for a piece out of order."""
        if piece.index != self._next:
            raise TransferFailed("piece-out-of-order", f"piece {piece.index} where {self._next} is due")
        self._next += 1
        self._parts.append(piece.text)
        self._length += len(piece.text)
        if self._length > MAX_LINE or "\n" in piece.text:
            raise TransferFailed("bad-line", f"a record that is not one line of at most {MAX_LINE} characters")
        if not piece.ends:
            return None
        line, self._parts, self._length = "".join(self._parts), [], 0
        return line
