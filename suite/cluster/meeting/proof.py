"""The token of a run: both ends prove that they know it, and it never goes over the wire.

It keeps runs apart, and others out. It does not hide what is said, nor protect
what follows the greeting from whoever can change packets on the way.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.cluster.world import World

VARIABLE = "KVGAUGE_TOKEN"
_TOKEN = re.compile(r"[!-~]{16,128}")


@dataclass(frozen=True)
class Token:
    """What the ranks of one run know; `given`: as a secret, not made from the launcher's names."""

    secret: bytes
    given: bool

    def __repr__(self) -> str:
        return f"Token(given={self.given})"

    def prove(self, who: str, *words: str) -> str:
        """Return the proof that `who` says `words`, both nonces among them."""
        said = json.dumps([who, *words]).encode()
        return hmac.new(self.secret, said, hashlib.sha256).hexdigest()

    def holds(self, proof: str, who: str, *words: str) -> bool:
        """Tell whether a proof is right."""
        return hmac.compare_digest(proof, self.prove(who, *words))


def token_of(environment: Mapping[str, str], world: World) -> Token:
    """Return the token in KVGAUGE_TOKEN, or one made from what the launcher calls this run.

    The latter keeps two runs apart and is no secret: who knows the job's id and
    reaches the port could join.
    """
    given = environment.get(VARIABLE)
    if given is None:
        return Token(hashlib.sha256(f"kvgauge's meeting of {world.run}".encode()).digest(), given=False)
    if not _TOKEN.fullmatch(given):
        hint = "16 to 128 printable ASCII characters without blanks, the same for all ranks"
        raise BadInput("bad-token", f"{VARIABLE} is not accepted", hint)  # never shown: it is a secret
    return Token(given.encode(), given=True)


def nonce() -> str:
    """Return what makes a proof good for one connection only."""
    return secrets.token_hex(16)


def digest(spec: object) -> str:
    """Return what two ranks compare to know that they have the same spec: SHA-256 of its JSON."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
