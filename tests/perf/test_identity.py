from __future__ import annotations

from perf.identity import point_key, transfer_key
from perf.record import Point


def test_a_key_has_every_field_of_a_point():
    """A field that the key forgot would merge two points into one."""
    point = Point(
        transport="copy",
        op="push",
        workload="bytes",
        pattern="scattered",
        unit="bytes",
        descriptor_bytes=8,
        descriptors=1,
    )
    assert set(point_key(point)._fields) == set(Point.model_fields)


def test_keys_ignore_the_order_of_settings_and_ceilings_ignore_who_moves(record):
    one = record(settings={"A": "1", "B": "2"}).point
    other = record(settings={"B": "2", "A": "1"}).point
    assert point_key(one) == point_key(other)
    assert point_key(one) != point_key(record(settings={"A": "1"}).point)
    assert transfer_key(one) == transfer_key(record(transport="copy").point)
    assert transfer_key(one) != transfer_key(record(op="pull").point)
