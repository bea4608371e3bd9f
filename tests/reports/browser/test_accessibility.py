"""axe-core finds nothing to complain of; a packed copy comes by npm's own client, and stays out of the tree."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest

VERSION = "4.14.1"
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

pytestmark = pytest.mark.deep


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """Return the text of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here, and axe-core comes from it: install Node.js with npm to check accessibility")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "pack", "--silent", f"axe-core@{VERSION}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"npm could not fetch axe-core: {done.stderr}"
    with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as packed:
        return packed.extractfile("package/axe.min.js").read().decode()


def violations(page, **options):
    """Return what axe has against the page as it stands, shortened."""
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"], **options})
    assert found["testEngine"]["version"] == VERSION
    assert found["passes"], "nothing was looked at"
    return [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found["violations"]]


@pytest.mark.parametrize("kind", ["measured", "emulated", "conformance", "comparison"])
def test_axe_finds_no_violation(visit, report, axe, kind):
    """With everything unfolded and the controls in use; a theme changes nothing but colours."""
    with visit(report(kind), color_scheme="light") as opened:
        page = opened.page
        page.evaluate(UNFOLD)
        if kind == "measured":
            page.locator("#points .sort").first.click()
            page.locator("#points input").fill("push")
        page.evaluate(axe)
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page, runOnly=["color-contrast"]) == []


def test_axe_finds_no_violation_on_a_phone(visit, report, axe):
    with visit(report("measured"), **PHONE) as opened:
        opened.page.evaluate(axe)
        assert violations(opened.page) == []


def test_axe_would_find_one(visit, report, axe):
    """A page with a button that has no name, and text that is nearly as light as its paper."""
    with visit(report("conformance")) as opened:
        opened.page.evaluate(axe)
        opened.page.evaluate(
            "document.querySelector('.themes button').textContent = ''; document.querySelector('h1').style.color = '#eee'"
        )
        assert {identity for identity, _, _ in violations(opened.page)} == {"button-name", "color-contrast"}
