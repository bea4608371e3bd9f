"""Everything that `pytest --pyargs conformance` does; `conformance.plugin` registers this module for no other run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import conformance.properties.given  # noqa: F401  registers the profile kvgauge-deep
from conformance.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from conformance.implementation import UnderTest

SESSION = pytest.StashKey[Session]()


def pytest_configure(config: pytest.Config) -> None:
    """Load the implementations named; none is a usage error, never a green run of nothing."""
    session = Session.of(config)
    config.stash[SESSION] = session
    config.pluginmanager.register(session, "kvgauge-conformance")


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test each implementation, last in its id: `test_x[my_pkg.settings:parse]`."""
    if "implementation" in metafunc.fixturenames:
        names = metafunc.config.stash[SESSION].names
        metafunc.parametrize("implementation", names, ids=names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def implementation(request: pytest.FixtureRequest) -> Iterator[UnderTest]:
    """Return the implementation under test."""
    one = request.config.stash[SESSION].load(request.param)
    yield one
    one.close()


@pytest.fixture(scope="session")
def observe(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return how a test of unspecified behaviour says what it saw."""
    return request.config.stash[SESSION].observe


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what a test did into a verdict."""
    report = yield
    item.config.stash[SESSION].judge(item, call, report)
    return report
