from __future__ import annotations

import pytest

from perf.document import MAX_FILE_BYTES, parse_toml, read_toml
from suite.errors import BadInput


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"launches = \n", "bad-toml", r"s\.toml: not TOML: Invalid value \(at line 1, column 12\)"),
        (b"a = 1\na = 2\n", "bad-toml", r"line 2"),
        (b"b = 1\n" + b"a." * 500_000 + b"a = 1", "line-too-long", r"s\.toml:2: a line of 1000005 bytes"),
        (b"a = " + b"[\n" * 20_000, "bad-toml", r"s\.toml: nested too deeply"),
        (b"a = 1\nb = '\xff'\n", "not-utf-8", r"s\.toml:2: not UTF-8 text \(byte 11\)"),
        (b"#" * (MAX_FILE_BYTES + 1), "file-too-large", r"s\.toml is too large"),
    ],
)
def test_bad_documents(data, code, message):
    """Whatever cannot be read is told with its file and line."""
    with pytest.raises(BadInput, match=message) as caught:
        parse_toml(data, source="s.toml")
    assert caught.value.code == code


def test_a_byte_order_mark_is_no_fault():
    assert parse_toml(b"\xef\xbb\xbfa = 1", source="s.toml") == {"a": 1}


def test_bad_paths(tmp_path):
    with pytest.raises(BadInput, match="is a directory"):
        read_toml(tmp_path)
    with pytest.raises(BadInput, match=r"none\.toml: no such file\ntry quick"):
        read_toml(tmp_path / "none.toml", missing="try quick")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"Not a directory"):
        read_toml(tmp_path / "file" / "s.toml")
    with pytest.raises(BadInput, match="cannot be a path"):
        read_toml(tmp_path / "a\0b")
