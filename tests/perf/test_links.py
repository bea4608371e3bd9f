"""The table of link limits: every figure has a source, and line rates follow from bits per second."""

from __future__ import annotations

import pytest

from perf.links import LINKS, named


def test_every_link_has_one_name_a_rate_and_a_source():
    assert len({link.name for link in LINKS}) == len(LINKS)
    assert all(link.gb_per_s > 0 and link.source.startswith("https://") for link in LINKS)


@pytest.mark.parametrize(
    ("name", "gbit"), [("InfiniBand NDR, one port", 400), ("100 GbE", 100), ("AWS p6-b300, all cards of a node", 6400)]
)
def test_rates_are_bytes_of_one_direction(name, gbit):
    assert named(name).gb_per_s == gbit / 8


def test_an_unknown_link_is_an_error():
    with pytest.raises(KeyError):
        named("NVLink 9")
