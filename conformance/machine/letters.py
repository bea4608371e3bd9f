"""Notifications as a sequence must have them: which must arrive, which may, and which cannot."""

from __future__ import annotations

from collections import Counter


class Letters:
    """The notifications of one side, each (who sent it, its tag), counted. What must arrive may as well."""

    def __init__(self) -> None:
        self._may: Counter[tuple[str, bytes]] = Counter()
        self._must: Counter[tuple[str, bytes]] = Counter()
        self._ever: Counter[tuple[str, bytes]] = Counter()
        self._now: Counter[tuple[str, bytes]] = Counter()

    def may(self, sender: str, tag: bytes) -> None:
        """Note that a transfer with this tag is posted."""
        self._may[sender, tag] += 1

    def must(self, sender: str, tag: bytes) -> None:
        """Note that it is done, and that its target is there."""
        self._must[sender, tag] += 1

    def arrived(self, sender: str, tag: bytes) -> None:
        """Note that one is here."""
        self._ever[sender, tag] += 1
        self._now[sender, tag] += 1

    def opened(self) -> None:
        """Begin with a new endpoint: what its predecessor was still to get is lost. A late one may yet come."""
        self._must.clear()
        self._now.clear()

    def missing(self) -> Counter[tuple[str, bytes]]:
        """Return what must be here and is not."""
        return self._must - self._now

    def strange(self) -> Counter[tuple[str, bytes]]:
        """Return what nobody sent, or not as often."""
        return self._ever - self._may

    def forgive(self) -> None:
        """Take what is wrong as it is: it was told already."""
        self._must.clear()
        self._may |= self._ever
