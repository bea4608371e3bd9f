"""Line rates as interfaces report them."""

from __future__ import annotations

import pytest

from suite.run.network import line_rates


@pytest.mark.parametrize(
    ("text", "rate"), [("10000\n", 1.25), ("-1\n", None), ("0\n", None), ("unknown\n", None), ("", None)]
)
def test_a_speed_in_mbit_is_a_rate_and_a_virtual_interface_has_none(tmp_path, text, rate):
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "speed").write_text(text)
    (tmp_path / "lo").mkdir()
    assert line_rates(tmp_path) == ({} if rate is None else {"eth0": rate})


def test_no_such_folder_is_no_rate(tmp_path):
    assert line_rates(tmp_path / "none") == {}
