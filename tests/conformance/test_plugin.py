"""pytest is the runner: every sentence of that, in pytest runs of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PARSER = '''
TRUE, FALSE = {"true", "1", "on", "yes"}, {"false", "0", "off", "no"}
PREFIX = "DYN_KVBM_NIXL_BACKEND_"

def parse(environment):
    """Read the variables as the page says; `LOOSE` also takes y for yes."""
    state = {}
    for name, value in environment.items():
        try:
            name, value = name.decode(), value.decode().strip(" \\t\\n\\r\\v\\f").lower()
        except UnicodeDecodeError:
            if name.startswith(PREFIX.encode()):
                raise ValueError("not UTF-8") from None
            continue
        if not name.upper().startswith(PREFIX):
            continue
        backend = name.upper().removeprefix(PREFIX)
        if backend not in {"UCX", "GDS"}:
            raise ValueError(f"unknown backend {backend}")
        if value not in TRUE | FALSE | LOOSE:
            raise ValueError(f"bad value of {name}")
        on = value in TRUE | LOOSE
        if state.setdefault(backend, on) != on:
            raise ValueError(f"{backend} is both on and off")
    chosen = [backend for backend in ("UCX", "GDS") if state.get(backend)]
    if not chosen and state.get("UCX") is not False:
        return ["UCX"]
    return chosen
'''
GOOD = "LOOSE = set()\n" + PARSER
BAD = 'LOOSE = {"y"}\n' + PARSER


@pytest.fixture
def project(pytester):
    """Return a project outside this tree, with a parser of its own and three lines of pyproject."""
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nkv_implementations = ["my_settings:parse"]\n')
    pytester.makepyfile(my_settings=GOOD)
    return pytester


def run(pytester, *arguments):
    """Run pytest without the plug-ins of ours that have nothing to do with it."""
    return pytester.runpytest_subprocess("-p", "no:benchmark", *arguments, timeout=120)


def records(pytester, folder="out"):
    lines = [json.loads(line) for line in (pytester.path / folder / "conformance.jsonl").read_text().splitlines()]
    assert lines[0]["kind"] == "header"
    assert lines[-1] == {"kind": "footer", "schema": 1, "cases": len(lines) - 2}
    return lines[1:-1]


def test_the_help_of_pytest_is_printed_where_we_are_installed(pytester):
    """It has no arguments, which we ask for."""
    done = pytester.runpytest_subprocess("--help", timeout=120)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["usage:*"])


@pytest.mark.deep
def test_a_project_of_three_lines_is_green_and_then_red(project):
    """The failing id, the smallest input and a shell line are in what pytest prints."""
    green = run(project, "--pyargs", "conformance", "--kv-out", "green")
    assert green.ret == 0, green.stdout.str()
    assert {case["implementation"] for case in records(project, "green")} == {"my_settings:parse"}
    project.makepyfile(my_settings=BAD)
    red = run(project, "--pyargs", "conformance", "--kv-out", "red")
    broken = [case for case in records(project, "red") if case["verdict"] in {"fail", "warn"}]
    smallest = [
        case["example"]["environment"] for case in broken if "property" in case["case"] or len(case["case"]) < 60
    ]
    assert {value.lower() for environment in smallest for value in environment.values()} == {"y"}
    assert broken[0]["reproduce"] in red.stdout.str()


def test_no_implementation_is_wrong_use(pytester):
    """Never "0 tests, green"."""
    done = run(pytester, "--pyargs", "conformance")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--kv-implementation*"])


def test_an_unknown_implementation_is_wrong_use_and_is_named(pytester):
    done = run(pytester, "--pyargs", "conformance", "--kv-implementation", "no_such_module:parse")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*no_such_module*"])


def test_every_other_run_is_left_alone(pytester):
    """No import beyond the standard library and pytest, no output."""
    pytester.makepyfile(
        test_mine="""
        import sys
        def test_mine():
            ours = [n for n in sys.modules if n.split(".")[0] in {"conformance", "suite", "perf", "reports"}]
            assert sorted(ours) == ["conformance", "conformance.plugin"]
            assert "numpy" not in sys.modules and "pydantic" not in sys.modules
        """
    )
    done = run(pytester, "-q")
    assert done.ret == 0, done.stdout.str()
    assert "kv" not in done.stdout.str().lower()


@pytest.mark.deep
def test_k_finds_a_requirement(project):
    done = run(project, "--pyargs", "conformance", "-k", "ENV-001", "--kv-out", "out")
    assert done.ret == 0, done.stdout.str()
    assert {case["requirement"] for case in records(project)} == {"ENV-001"}


@pytest.mark.deep
def test_ids_name_the_test_and_the_implementation(project):
    done = run(project, "--pyargs", "conformance", "--collect-only", "-q")
    lines = [line for line in done.stdout.lines if "::" in line]
    assert lines
    assert all(line.endswith("my_settings:parse]") for line in lines)


@pytest.mark.deep
def test_x_stops_at_the_first_violation(project):
    project.makepyfile(my_settings="def parse(environment):\n    return ['GDS']\n")
    done = run(project, "--pyargs", "conformance", "-x", "--kv-out", "out")
    assert done.ret == 1
    assert [case["verdict"] for case in records(project)].count("fail") == 1


@pytest.mark.deep
def test_xdist_gives_the_same_verdicts(project):
    """The record is the controller's alone, footer last."""
    run(project, "--pyargs", "conformance", "--kv-out", "one")
    done = run(project, "--pyargs", "conformance", "--kv-out", "many", "-n", "2")
    assert done.ret == 0, done.stdout.str()

    def verdicts(folder):
        return sorted((case["requirement"], case["case"], case["verdict"]) for case in records(project, folder))

    assert verdicts("one") == verdicts("many")


@pytest.mark.deep
def test_junit_carries_requirement_and_verdict(project):
    run(project, "--pyargs", "conformance", "--junitxml=junit.xml")
    text = (project.path / "junit.xml").read_text()
    assert '<property name="requirement" value="ENV-001"' in text
    assert '<property name="verdict" value="pass"' in text


@pytest.mark.deep
def test_a_crash_is_an_error_not_a_failure(project):
    project.makepyfile(my_settings="def parse(environment):\n    raise RuntimeError('broke')\n")
    done = run(project, "--pyargs", "conformance", "--kv-out", "out", "-k", "ENV-001")
    assert done.ret == 1
    assert {case["verdict"] for case in records(project)} == {"error"}
    done.stdout.fnmatch_lines(["*error*"])


def expect(project, text):
    (project.path / "known.toml").write_text(text, encoding="utf-8")
    project.makepyprojecttoml(
        '[tool.pytest.ini_options]\nkv_implementations = ["my_settings:parse"]\nkv_expect = "known.toml"\n'
    )


@pytest.mark.deep
def test_an_expected_violation_does_not_fail_the_run(project):
    """The block that a failing run prints is a file that makes the next run pass."""
    project.makepyfile(my_settings="def parse(environment):\n    return ['UCX']\n")
    red = run(project, "--pyargs", "conformance")
    assert red.ret == 1
    block = red.stdout.str().partition("put into the file named by kv_expect")[2]
    lines = [
        line
        for line in block.splitlines()
        if line.startswith(("[[expect]]", "id", "verdict", "implementation", "reason"))
    ]
    expect(project, "\n".join(lines))
    done = run(project, "--pyargs", "conformance", "--kv-out", "out")
    assert done.ret == 0, done.stdout.str()
    assert any(case["expected"] for case in records(project))


@pytest.mark.deep
def test_an_expectation_that_nothing_meets_fails_the_run(project):
    expect(project, '[[expect]]\nid = "ENV-001"\nverdict = "fail"\nreason = "once"\n')
    done = run(project, "--pyargs", "conformance")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*ENV-001*was expected to fail*once*"])


@pytest.mark.deep
@pytest.mark.parametrize(
    "text",
    [
        '[[expect]]\nid = "ENV-999"\nverdict = "fail"\nreason = "x"\n',
        '[[expect]]\nid = "ENV-001"\nverdict = "pass"\nreason = "x"\n',
        '[[expect]]\nid = "ENV-001"\n',
        "not toml",
        "other = 1\n",
    ],
)
def test_a_bad_expectations_file_is_wrong_use(project, text):
    expect(project, text)
    done = run(project, "--pyargs", "conformance")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*known.toml*"])


@pytest.mark.deep
def test_a_printed_line_fails_again_when_pasted(project):
    project.makepyfile(my_settings=BAD)
    run(project, "--pyargs", "conformance", "--kv-out", "out", "--kv-strict")
    lines = {case["reproduce"] for case in records(project) if case["verdict"] in {"fail", "warn"}}
    assert lines
    path = f"{sys.executable.rpartition('/')[0]}:/usr/bin:/bin"
    for line in lines:
        done = subprocess.run(
            ["/bin/bash", "-c", f"{line} --strict"],
            cwd=project.path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.deep
def test_strict_makes_a_broken_should_a_failure(project):
    project.makepyfile(my_settings=GOOD.replace('strip(" ', 'strip("\\xa0 '))  # a no-break space is no blank
    loose = run(project, "--pyargs", "conformance", "--kv-out", "loose")
    strict = run(project, "--pyargs", "conformance", "--kv-out", "strict", "--kv-strict")
    assert (loose.ret, strict.ret) == (0, 1)
    assert "failed" not in loose.parseoutcomes()
    assert loose.parseoutcomes()["warn"] > 0

    def warned(folder):
        return {case["requirement"] for case in records(project, folder) if case["verdict"] == "warn"}

    assert warned("loose") == warned("strict") != set()
    assert "warn" not in strict.parseoutcomes()


def test_an_environment_that_is_replayed_is_not_repeated(project, monkeypatch):
    """It holds whatever the user's shell holds; the line says where it came from."""
    project.makepyfile(my_settings=BAD)
    monkeypatch.setenv("DYN_KVBM_NIXL_BACKEND_UCX", "y")
    monkeypatch.setenv("SOME_TOKEN", "do not show")
    done = run(project, "--pyargs", "conformance", "--kv-environment", "-k", "ENV-019", "--kv-out", "out")
    broken = [case for case in records(project) if case["verdict"] == "fail"]
    assert broken
    assert "do not show" not in done.stdout.str() + json.dumps(broken)
    assert {case["reproduce"] for case in broken} == {
        "kvgauge conform my_settings:parse --requirement ENV-019 --from-environment"
    }


@pytest.mark.deep
def test_the_deep_profile_exists(project):
    done = run(project, "--pyargs", "conformance", "--hypothesis-profile=kvgauge-deep", "-k", "ENV-001")
    assert done.ret == 0, done.stdout.str()
