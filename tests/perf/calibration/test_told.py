"""What a run's manifest tells of its machine's calibration, and what is claimed for it."""

from __future__ import annotations

import json

import pytest

from perf.calibration import words
from perf.calibration.told import told
from perf.comparing.band import BAND, band_of


def test_a_run_without_a_calibration_tells_of_none(manifest_with):
    assert told({}) is None
    assert told(manifest_with(None)) is None


def test_it_says_the_worst_error_of_the_tool_and_not_what_a_protocol_costs(manifest_with, calibrated):
    [error, apart] = words.of_run(told(manifest_with(calibrated())))
    assert "within 1.67 %" in error
    assert "raw TCP, 1 Gbit/s" in error
    assert "beyond" not in error
    assert "UCX" not in error
    assert "12 % apart" in apart


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"created_at": "2026-10-01T05:00:00+00:00"}, "54 days old"),
        ({"created_at": "2027-10-01T05:00:00+00:00"}, "dated after the run"),
        ({"created_at": "2026-11-20T05:00:00"}, "age is not known"),  # without a zone
        ({"created_at": "long ago"}, "age is not known"),
        ({"kernel": "5.10"}, "kernel 5.10"),
        ({"kvgauge": "0.0.9"}, "kvgauge 0.0.9"),
    ],
)
def test_what_is_old_or_of_other_software_is_called_doubtful(manifest_with, calibrated, changes, doubt):
    *_, sentence = words.of_run(told(manifest_with(calibrated(**changes))))
    assert doubt in sentence
    assert "kvgauge calibrate" in sentence


def test_a_fresh_one_is_not_doubtful(manifest_with, calibrated):
    found = told(manifest_with(calibrated()))
    assert found.age_days("link") == 4
    assert found.doubts("link") == found.doubts("band") == []


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"refused": ["no", "text"]},
        {"schema": 2, "machine": {}, "parts": {}},
        {"schema": 1, "machine": {}, "parts": {"moon": {}}},
        {"schema": 1, "machine": {}, "parts": {"band": {"created_at": "x" * 1000}}},
        {"schema": 1, "machine": {}, "parts": {}, "more": 1},
    ],
)
def test_a_damaged_one_is_told_and_not_used(manifest_with, damaged):
    found = told(manifest_with(damaged))
    assert found.calibration is None
    [sentence] = words.of_run(found)
    assert "not used" in sentence
    assert band_of(manifest_with(damaged))[0] == BAND


def test_no_number_that_is_none_gets_in(manifest_with, calibrated):
    text = json.dumps(calibrated()).replace("0.118", "NaN")
    assert told(manifest_with(json.loads(text))).calibration is None


def test_the_band_is_the_wider_of_two_runs(manifest_with, calibrated):
    width, source = band_of(manifest_with(calibrated(0.08)), manifest_with(calibrated(0.12)))
    assert width == 0.12
    assert "6 runs within 3 minutes" in source


def test_the_band_is_the_default_unless_both_runs_carry_one(manifest_with, calibrated):
    width, source = band_of(manifest_with(calibrated(0.08)), manifest_with(None))
    assert width == BAND
    assert "kvgauge calibrate" in source


@pytest.mark.parametrize("changes", [{"kernel": "5.10"}, {"quick": True}])
def test_a_doubtful_band_widens_the_default_and_never_narrows_it(manifest_with, calibrated, changes):
    for width, used in ((0.08, BAND), (0.5, 0.5)):
        found, source = band_of(*[manifest_with(calibrated(width, **changes))] * 2)
        assert found == used
        assert "not below the default" in source
