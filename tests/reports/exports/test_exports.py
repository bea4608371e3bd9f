"""Runs for other programs: their readers take what is written, and nothing that is not true is in it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from reports.commands import report
from reports.exports.choice import EXPORTS
from suite.errors import BadInput
from tests.perf.comparing.conftest import made, sampled
from tests.perf.conftest import record_builder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["made", "record_builder", "sampled"]
SPEC = {
    "launches": 9,
    "kv": [
        {
            "model": "llama-3.1-8b", "tokens": 512, "transports": ["nixl:UCX"], "ops": ["push"], "units": ["block"],
            "patterns": ["scattered"],
        }
    ],
}  # fmt: skip


def exported(form: str, *words: object) -> str:
    done = CliRunner().invoke(report, [*map(str, words), "--format", form])
    assert done.exception is None, done.exception
    return done.stdout


def refused(form: str, *words: object) -> BadInput:
    error = CliRunner().invoke(report, [*map(str, words), "--format", form]).exception
    assert isinstance(error, BadInput), error
    return error


@pytest.fixture
def two(made: Callable[..., Path], sampled: Callable[..., Any]) -> tuple[Path, Path]:
    """Return a newer and an older run; the newer has a point more, and one that is emulated."""
    new = made("new", [*sampled(40), *sampled(40, op="pull"), *sampled(1, emulated=True, unit="page")], spec=SPEC)
    return new, made("base", sampled(50), spec=SPEC)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_long_form_has_a_row_for_each_point_launch_and_metric_oldest_run_first(two: tuple[Path, Path]) -> None:
    found = rows(exported("csv", *two))
    assert [one["run"] for one in found] == ["base"] * 18 + ["new"] * 36
    assert {(one["metric"], one["value_unit"]) for one in found} == {("throughput", "GB/s"), ("latency_median", "ns")}
    rates = [float(one["value"]) for one in found if one["metric"] == "throughput"]
    assert rates[0] == pytest.approx(4 * (64 << 20) * 2 / 100e6)
    assert {one["unit"] for one in found} == {"block"}, "an emulated launch has no number"
    assert "nixl-cu12=1.5.0" in found[0]["version"]
    assert datetime.fromisoformat(found[0]["time"]).tzinfo is not None


def otava_reads(text: str, config: str) -> dict[str, list[float]]:
    """Do with a file what CsvImporter.fetch_data does: every metric of every row is a float, columns are found by name."""
    [test] = yaml.safe_load(config)["tests"].values()
    assert test["type"] == "csv"
    options = test["csv_options"]
    head, *lines = csv.reader(io.StringIO(text), delimiter=options["delimiter"], quotechar=options["quote_char"])
    for name in (test["time_column"], *test["attributes"]):
        assert name in head
    assert [datetime.fromisoformat(line[head.index(test["time_column"])]) for line in lines]
    assert all(len(line) == len(head) for line in lines)
    metrics = test["metrics"]
    assert all(one["direction"] == 1 for one in metrics.values()), "a higher rate is better"
    return {one["column"]: [float(line[head.index(one["column"])]) for line in lines] for one in metrics.values()}


def test_otava_can_read_what_is_written_for_it(two: tuple[Path, Path]) -> None:
    """One row a run, oldest first; a point that one run lacks would be an empty cell, which it refuses."""
    found = otava_reads(exported("otava", *two), exported("otava-config", *two))
    [(name, values)] = found.items()
    assert name == "nixl:UCX push llama-3.1-8b block 4 MiB scattered x16 [GB/s]"
    assert values[0] == pytest.approx(values[1] * 40 / 50, rel=1e-3)
    done = CliRunner().invoke(report, [*map(str, two), "--format", "otava"])
    assert "1 points are left out" in done.stderr


def test_points_that_differ_in_a_comma_only_keep_columns_of_their_own(
    made: Callable[..., Path], sampled: Callable[..., Any]
) -> None:
    lists = ("cma,tcp", "cma tcp", "cma'tcp")
    run = made(
        "base", [one for number, tls in enumerate(lists) for one in sampled(50 + number, settings={"UCX_TLS": tls})]
    )
    found = otava_reads(exported("otava", run), exported("otava-config", run))
    assert len(found) == 3
    assert len({values[0] for values in found.values()}) == 3


def test_no_setting_of_a_stranger_breaks_a_column(made: Callable[..., Path], sampled: Callable[..., Any]) -> None:
    hostile = {"UCX_X": '=cmd,"x"\n: - \'y', "z": "\u202e#"}
    run = made("base", sampled(50, settings=hostile))
    found = otava_reads(exported("otava", run), exported("otava-config", run))
    assert len(found) == 1
    assert rows(exported("csv", run))[0]["setting.UCX_X"].startswith("'=")


def mocker(line: str) -> argparse.Namespace:
    """Take options as the mocker does: components/src/dynamo/mocker/args.py, types and choices."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--kv-transfer-bandwidth", type=float)
    parser.add_argument("--kv-bytes-per-token", type=int)
    kinds = ["auto", "bfloat16", "fp8", "fp8_ds_mla", "fp8_e4m3", "fp8_e5m2", "fp8_inc"]
    parser.add_argument("--kv-cache-dtype", choices=kinds)
    return parser.parse_args(shlex.split(line))


def test_the_mocker_takes_what_is_written_for_it(two: tuple[Path, Path]) -> None:
    """Its delay, tokens x bytes per token / (bandwidth x 1e9), is the time that a request took here."""
    text = exported("mocker", two[1])
    [line] = [one for one in text.splitlines() if one.startswith("--")]
    told = mocker(line)
    assert told.kv_bytes_per_token == 2 * 32 * 8 * 128 * 2
    assert told.kv_cache_dtype == "bfloat16"
    request_s = 50e-3 * 2 / 8
    delay_s = 512 * told.kv_bytes_per_token / (told.kv_transfer_bandwidth * 1e9)
    assert delay_s == pytest.approx(request_s, rel=0.02)
    assert "# run base: push llama-3.1-8b, block 4 MiB scattered" in text
    assert "carried by cma" in text


def test_bytes_per_token_are_told_only_where_the_spec_says_them(
    made: Callable[..., Path], sampled: Callable[..., Any]
) -> None:
    for number, spec in enumerate(
        ({}, {"kv": [SPEC["kv"][0] | {"tokens": 100}]}, {"kv": [SPEC["kv"][0] | {"dtype": "fp16"}]})
    ):  # type: ignore[index]  # a list
        [line] = [
            one
            for one in exported("mocker", made(f"run{number}", sampled(50), spec=spec)).splitlines()
            if one[:2] == "--"
        ]
        told = mocker(line)
        assert told.kv_cache_dtype is None, "there is no fp16 among its choices"
        assert (told.kv_bytes_per_token is None) == (number < 2)


@pytest.mark.parametrize("form", EXPORTS)
def test_a_run_on_emulated_devices_is_refused(
    form: str, made: Callable[..., Path], sampled: Callable[..., Any]
) -> None:
    error = refused(form, made("base", sampled(50, emulated=True)))
    assert error.code == "nothing-to-export"
    assert "emulated" in f"{error.message} {error.hint}"


@pytest.mark.parametrize("form", EXPORTS)
def test_only_a_file_of_its_own_kind_is_written_over(form: str, tmp_path: Path, two: tuple[Path, Path]) -> None:
    out = tmp_path / "out.txt"
    for _ in range(2):
        assert CliRunner().invoke(report, [str(two[0]), "--format", form, "--out", str(out)]).exception is None
    assert out.read_text() == exported(form, two[0])
    out.write_text("mine\n")
    error = CliRunner().invoke(report, [str(two[0]), "--format", form, "--out", str(out)]).exception
    assert isinstance(error, BadInput)
    assert out.read_text() == "mine\n"


def test_what_is_no_run_or_is_named_twice_is_refused(tmp_path: Path, two: tuple[Path, Path]) -> None:
    assert "named twice" in refused("csv", two[0], two[0]).message
    file = tmp_path / "perftest.txt"
    file.write_text("x")
    assert "is no run folder" in refused("csv", two[0], file).message
    manifest = json.loads((two[0] / "manifest.json").read_text())
    (two[0] / "manifest.json").write_text(json.dumps(manifest | {"started_at": None}))
    assert "does not say when" in refused("otava", *two).message
