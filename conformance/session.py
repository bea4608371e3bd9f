"""One pytest run over some implementations: what is run, what came out of each test, what is said at the end."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from conformance.expectations import Expectations, read_expectations
from conformance.faults.outcome import Outcome
from conformance.gpus import emulate
from conformance.implementations.loading import load
from conformance.record import Case, Recorder
from conformance.reproduce import shell_line
from conformance.requirement import MARK, Requirement, registry
from conformance.verdict import Verdict, Violation
from suite.errors import BadInput, KvgaugeError

if TYPE_CHECKING:
    from conformance.implementation import Implementation, UnderTest

_NAME_ONE = "name an implementation: --kv-implementation my_pkg.settings:parse, or kv_implementations in the ini file"
_INPUTS = ("environment", "config", "case", "sequence")  # arguments of a test that are its input
_LETTERS = {Verdict.WARN: "w", Verdict.INFO: "i", Verdict.ERROR: "E"}


class Session:
    """State of one run. The controller writes the record; workers of pytest-xdist only send reports."""

    def __init__(
        self, names: list[str], expectations: Expectations, recorder: Recorder, *, strict: bool, replay: dict[str, Any]
    ) -> None:
        self.names = names
        self._loaded: dict[str, UnderTest] = {}
        self._expectations = expectations
        self._recorder = recorder
        self._strict = strict
        self._replay = replay  # argument name -> value, in place of generated ones
        self._seen: list[str] = []

    @classmethod
    def of(cls, config: pytest.Config) -> Self:
        """Return the session that the options and the ini file ask for."""
        names = list(dict.fromkeys([*config.getoption("kv_implementation"), *config.getini("kv_implementations")]))
        if not names:
            raise pytest.UsageError(_NAME_ONE)
        given = config.getoption("kv_expect")
        ini = config.getini("kv_expect")
        expect = Path(given) if given else config.rootpath / ini if ini else None
        out = config.getoption("kv_out")
        sys.path.append(str(config.invocation_params.dir))  # last: a folder of the user's must not hide ours
        try:
            if (gpus := config.getoption("kv_emulated_gpus")) is not None:
                emulate(gpus, Path(out).absolute() / "logs" if out else None)
            expectations = read_expectations(expect)
            replay = _replay(config.getoption("kv_config")) if config.getoption("kv_environment") else {}
            replay |= _one_case(config.getoption("kv_case"))
            session = cls(
                names,
                expectations,
                Recorder(Path(out) if out and not hasattr(config, "workerinput") else None),
                strict=config.getoption("kv_strict"),
                replay=replay,
            )
            for name in names:  # a name that cannot be loaded is wrong use, found before anything is run
                session.load(name)
        except BadInput as error:
            raise pytest.UsageError(str(error)) from None
        except KvgaugeError as error:
            raise pytest.exit.Exception(f"kvgauge: {error}", returncode=int(error.exit_code)) from None
        return session

    def load(self, name: str) -> UnderTest:
        """Return the implementation called `name`, loaded once."""
        if name not in self._loaded:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def observe(self, what: str) -> None:
        """Keep what the test that is running saw."""
        self._seen.append(what)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let `-k ENV-006` find the tests of a requirement."""
        if found := _requirement(item):
            item.extra_keyword_matches.add(found.id)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what an implementation does not answer; with an example to replay, one call for each test."""
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        replayed: set[tuple[str, str]] = set()
        for item in items:
            if (found := _requirement(item)) is None:
                kept.append(item)
                continue
            implementation = self.load(_name(item))
            wanted = found.answers in implementation.answers
            wanted = wanted and (not found.profiles or implementation.profile in found.profiles)
            if wanted and self._replay:
                key = (str(getattr(item, "originalname", item.name)), _name(item))
                wanted = key not in replayed and self._replace_inputs(item)
                replayed.add(key)
            (kept if wanted else dropped).append(item)
        items[:] = kept
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    def _replace_inputs(self, item: pytest.Item) -> bool:
        """Have `item` check the given environment once instead of what its strategy or its table holds."""
        function = item.function  # type: ignore[attr-defined]  # all our tests are functions
        plain = getattr(getattr(function, "hypothesis", None), "inner_test", function)
        names = plain.__code__.co_varnames[: plain.__code__.co_argcount]
        if any(name in names and name not in self._replay for name in _INPUTS):
            return False
        inputs = {name: value for name, value in self._replay.items() if name in names}
        if function is plain:
            item.callspec.params.update(inputs)  # type: ignore[attr-defined]  # inputs come from a table
            item.funcargs.update(inputs)  # type: ignore[attr-defined]  # as above
        else:
            item.obj = _without_inputs(plain, inputs)  # type: ignore[attr-defined]  # as above
        return True

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what a transport says that it cannot do."""
        if found := _requirement(item):
            why = getattr(self.load(_name(item)), "unable", lambda _: "")(found)
            if why:
                pytest.skip(why)

    def judge(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Give `report` its verdict; pytest sends it to the controller as it is."""
        found = _requirement(item)
        if found is None or (report.when != "call" and report.passed):
            return
        error = call.excinfo.value if call.excinfo else None
        seen, self._seen = self._seen, []
        verdict, what = self._verdict(found, report, error, seen)
        name = _name(item)
        expected = verdict in {Verdict.FAIL, Verdict.WARN} and self._expectations.foresees(name, found.id, verdict)
        example, line = (None, "") if not isinstance(error, Violation) else self._shown(name, found.id, error)
        if verdict is Verdict.WARN and not self._strict:
            report.outcome = "passed"
            report.longrepr = None
        elif expected:
            report.outcome, report.wasxfail = "skipped", what  # how pytest marks an xfail
        elif isinstance(error, Violation):
            report.longrepr = (
                f"{found.id} ({found.level}): {found.sentence}\n  {what}\n  source: {found.source}\n  {line}"
            )
        note = self.load(name).note
        case = Case(found.id, name, item.name, verdict.value, expected, what, example, line, note)
        report.kvgauge = case.as_json()  # type: ignore[attr-defined]  # plain values travel with the report
        if tried := getattr(self.load(name), "tried", None):
            report.kvgauge_faults = [one.as_json() for one in tried.news()]  # type: ignore[attr-defined]  # as above
        properties = [("requirement", found.id), ("verdict", verdict.value)]
        item.user_properties += properties  # JUnit takes them from the report of the teardown

    def _shown(self, name: str, requirement: str, broken: Violation) -> tuple[dict[str, Any], str]:
        """Return the example and the line that breaks it again; a whole environment of the user's is not repeated."""
        if self._replay:
            broken = Violation(broken.what, {}, broken.config, broken.case, broken.script)
        return _example(broken), shell_line(name, requirement, broken)

    def _verdict(
        self, found: Requirement, report: pytest.TestReport, error: BaseException | None, seen: list[str]
    ) -> tuple[Verdict, str]:
        if report.skipped:
            return Verdict.SKIP, str(error)
        if isinstance(error, Violation):
            return (Verdict.FAIL if found.level == "MUST" else Verdict.WARN), error.what
        if error is not None:
            return Verdict.ERROR, f"{type(error).__name__}: {error}"
        return (Verdict.INFO, "; ".join(seen)) if found.level == "UNSPECIFIED" else (Verdict.PASS, "")

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show verdicts that pytest has no word for."""
        case = getattr(report, "kvgauge", None)
        if case is None or hasattr(report, "wasxfail") or (report.when != "call" and report.passed):
            return None
        verdict = Verdict(case["verdict"])
        if verdict not in _LETTERS or (verdict is Verdict.WARN and self._strict):
            return None
        return ("error" if verdict is Verdict.ERROR else verdict.value), _LETTERS[verdict], verdict.value.upper()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a verdict: in the controller only, which sees the reports of all workers."""
        if case := getattr(report, "kvgauge", None):
            self._recorder.add(Case(**case))
            for told in getattr(report, "kvgauge_faults", []):
                self._recorder.add_outcome(Outcome(**told))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the record, and fail if something that was to fail did not."""
        for implementation in self._loaded.values():
            implementation.close()
        if hasattr(session.config, "workerinput"):
            return
        self._recorder.close()
        unmet = self._expectations.unmet(self._recorder.cases)
        if unmet and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what a reader needs next: unexpected passes, doubts, and the block to paste."""
        cases = self._recorder.cases
        for line in self._expectations.unmet(cases):
            terminalreporter.write_line(line, red=True)
        for case in cases:
            if case.verdict == Verdict.WARN and not case.expected:
                terminalreporter.write_line(f"{case.requirement} warn [{case.implementation}]: {case.what}")
                terminalreporter.write_line(f"  {case.reproduce}")
        if block := self._expectations.block(cases, strict=self._strict):
            terminalreporter.section("to expect these, put into the file named by kv_expect")
            terminalreporter.write_line(block)


def _requirement(item: pytest.Item) -> Requirement | None:
    mark = item.get_closest_marker(MARK)
    return registry()[mark.args[0]] if mark else None


def _name(item: pytest.Item) -> str:
    return str(item.callspec.params["implementation"])  # type: ignore[attr-defined]  # every test of ours has it


def _example(broken: Violation) -> dict[str, Any]:
    """Return the input as JSON; bytes that are no text become escapes."""
    if broken.case is not None:
        return {"case": dict(broken.case)}
    shown = {_text(name): _text(value) for name, value in broken.environment.items()}
    return {"environment": shown, **({"config": dict(broken.config)} if broken.config is not None else {})}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _replay(config: str | None) -> dict[str, Any]:
    """Return the inputs to check: this process's environment, and a configuration if one is given."""
    inputs: dict[str, Any] = {"environment": dict(os.environb)}
    if config is not None:
        try:
            inputs["config"] = json.loads(config)
        except ValueError as error:
            raise BadInput("bad-config", f"--kv-config is not JSON: {error}") from None
    return inputs


def _one_case(told: str | None) -> dict[str, Any]:
    """Return the transfer to try, or the sequence of calls, if one is given."""
    from conformance.machine import steps
    from conformance.transfer.case import of_json

    if told is None:
        return {}
    try:
        found = json.loads(told)
        if isinstance(found, dict) and "steps" in found:
            return {"sequence": steps.of_json(found)}
        return {"case": of_json(found)}
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput("bad-case", f"--kv-case is not JSON: {error}") from None


def _without_inputs(plain: Any, inputs: dict[str, Any]) -> Any:
    """Return the test with its inputs bound; pytest gives it the other arguments by name."""
    if "observe" in plain.__code__.co_varnames[: plain.__code__.co_argcount]:

        def test(implementation: Implementation, observe: Any) -> None:
            plain(implementation=implementation, observe=observe, **inputs)

        return test
    return lambda implementation: partial(plain, **inputs)(implementation=implementation)
