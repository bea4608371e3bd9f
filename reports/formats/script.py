"""The one script of a page, and the policy that allows it by its hash and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup


def script() -> Markup:
    """Return the text of the script, as it stands in the page between its tags."""
    return Markup(files("reports").joinpath("templates", "report.js").read_text("utf-8"))  # noqa: S704  our own file


def policy(code: str) -> str:
    """Return the Content-Security-Policy of a page: nothing is loaded, and no script runs but `code`.

    Blocks of JSON are data and need no permission. Styles are written in place,
    also in the figures. The hash is over the bytes between the tags (CSP level 3).
    """
    digest = b64encode(sha256(code.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
