"""A stranger's YAML file is a mapping or a line that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.settings.engine_yaml import MAX_BYTES, MAX_SCALAR, read_mapping


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "engine.yaml"


LAUGHS = "a0: &a0 [lol]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))

REFUSED = {
    "list": (b"- 1\n", "not a mapping"),
    "scalar": (b"3", "not a mapping"),
    "not UTF-8": (b"a: \xff", "is not UTF-8: byte 3 is 0xff"),
    "UTF-16": ("a: 1".encode("utf-16"), "is not UTF-8"),
    "syntax": (b"a: 1\nb: c: d", "line 2, column 5"),
    "two documents": (b"a: 1\n---\nb: 2", "another document"),
    "escape sequence": (b"\x1b[31ma: 1", "special characters"),
    "tag": (b"a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    "unhashable key": (b"? [a]\n: 1", "unhashable key"),
    "key twice": (b"a: 1\nb: {c: 1, c: 2}", "line 2: the key 'c' is given twice"),
    "billion laughs": (LAUGHS.encode(), "counting what aliases stand for"),
    "billion merges": (MERGES.encode(), "counting what aliases stand for"),
    "recursion": (b"a: &a [*a]", "stands for nothing, or for itself"),
    "unknown alias": (b"a: *b", "stands for nothing, or for itself"),
    "deep flow": (b"[" * 100_000, "levels of nesting"),
    "deep block": (b"- " * 10_000, "levels of nesting"),
    "long scalar": (b"a: " + b"1:" * MAX_SCALAR + b"1", "characters in one value"),
    "long integer": (b"a: " + b"1" * 5_000, "does not have the form of its type"),
    "date": (b"a: 2024-99-99", "month must be in 1..12"),
    "empty integer": (b"a: !!int ''", "does not have the form of its type"),
    "no boolean": (b"a: !!bool x", "does not have the form of its type"),
    "no timestamp": (b"a: !!timestamp x", "does not have the form of its type"),
    "too large": (b"#" * (MAX_BYTES + 1), "is larger than 1 MiB"),
}


@pytest.mark.parametrize(("content", "problem"), list(REFUSED.values()), ids=list(REFUSED))
def test_hostile_and_broken_files_are_refused_by_name(file: Path, content: bytes, problem: str) -> None:
    """Each kind of bad file is refused quickly with the file's name and the reason, in printable lines."""
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_mapping(file)
    assert caught.value.message.startswith(f"{file}: ")
    assert problem in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        (b"", {}),
        (b"# only a comment\n", {}),
        (b"\xef\xbb\xbfa: 1\r\n", {"a": 1}),
        (b"x: &x {a: 1}\ny: *x\nz: {<<: *x, b: 2}", {"x": {"a": 1}, "y": {"a": 1}, "z": {"a": 1, "b": 2}}),
        (b"a: [x, x]\nb: {x: x}", {"a": ["x", "x"], "b": {"x": "x"}}),
        (b"#" * MAX_BYTES, {}),
    ],
)
def test_ordinary_files_are_read(file: Path, content: bytes, mapping: object) -> None:
    """Comments, byte order marks, aliases, merges and repeated values that are no keys are fine."""
    file.write_bytes(content)
    assert read_mapping(file) == mapping


@given(st.text("{}[]:,&*!|>%@`\"'#-?<= \n\tab019.~ey").map(str.encode) | st.binary())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_mapping_or_a_bad_input(file: Path, content: bytes) -> None:
    """No content raises anything but `BadInput`."""
    file.write_bytes(content)
    try:
        assert isinstance(read_mapping(file), dict)
    except BadInput as error:
        assert error.message.startswith(f"{file}: ")  # noqa: PT017  both outcomes are right


@pytest.mark.parametrize(
    ("path", "problem"), [("/", "directory"), ("no/such/file", "No such file"), ("\0", "null byte")]
)
def test_unreadable_files_are_named(path: str, problem: str) -> None:
    """A directory, a missing file and an impossible name are refused with the system's reason."""
    with pytest.raises(BadInput, match=f"cannot be read: .*{problem}"):
        read_mapping(Path(path))


def test_an_endless_file_is_read_no_further_than_the_limit() -> None:
    """A device that never ends is refused after one limit's worth of bytes."""
    with pytest.raises(BadInput, match="larger than 1 MiB"):
        read_mapping(Path("/dev/zero"))


def test_a_path_cannot_disturb_the_terminal(tmp_path: Path) -> None:
    """Control characters in a path are escaped."""
    with pytest.raises(BadInput) as caught:
        read_mapping(tmp_path / "\x1b[2J.yaml")
    assert caught.value.message.isprintable()
