"""UCX's protocol tables: real logs of three UCX versions, generated ones, and noise."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.transports import evidence
from suite.transports.evidence import EvidenceError, Lane, Row, Table, WireEvidence, parse_tables, wire_used

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name for path in GOLDEN.glob("*.txt"))
CMA = Lane("cma", "memory", 100)
LO = Lane("tcp", "lo", 100)
RAILS = (Lane("tcp", "lo", 52), Lane("tcp", "eth0", 48))
PREFIX = "[1795498009.662856] [host:1001 :0]   "


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def used(name: str, context: str, operation: evidence.Operation) -> WireEvidence:
    return wire_used(parse_tables(golden(name)), context=context, operation=operation)


# Real logs: one process, six agents after each other, each with its own name.


@pytest.mark.parametrize(
    ("agent", "operation", "count"),
    [("w8", "put", 3), ("r4k", "get", 5), ("w64k", "put", 7), ("w4m", "put", 9), ("r4m", "get", 11), ("mix", "get", 3)],
)
def test_nixl_on_one_host_moves_bytes_by_cma(agent: str, operation: evidence.Operation, count: int) -> None:
    found = used("nixl-1.23-cma", f"initiator-{agent}", operation)
    assert (found.wire, found.lanes, found.count, found.emulated) == ("cma", (CMA,), count, False)
    assert found.detail == "zero-copy over cma/memory"
    assert found.reach == "intra-node"
    assert found.reason == ""


@pytest.mark.parametrize(("agent", "count"), [("w8", 3), ("w64k", 14), ("w4m", 18), ("mix", 11)])
def test_tcp_write_is_split_over_rails(agent: str, count: int) -> None:
    found = used("nixl-1.23-tcp", f"initiator-{agent}", "put")
    assert (found.wire, found.lanes, found.count, found.emulated) == ("tcp", RAILS, count, False)
    assert found.detail == "zero-copy over tcp/lo 52% + tcp/eth0 48%"


def test_tcp_read_is_emulated() -> None:
    found = used("nixl-1.23-tcp", "initiator-r4m", "get")
    assert (found.wire, found.lanes, found.count, found.emulated) == ("tcp", (LO,), 11, True)
    assert found.detail == "software emulation over tcp/lo"


def test_notifications_are_not_the_data() -> None:
    assert used("nixl-1.23-cma", "initiator-w4m", "am_send").wire == "tcp"
    assert used("nixl-1.23-cma", "initiator-w4m", "put").wire == "cma"


@pytest.mark.parametrize("name", ["nixl-1.23-info", "nixl-1.23-transport-tables"])
def test_other_log_lines_and_other_tables_are_skipped(name: str) -> None:
    tables = parse_tables(golden(name))
    assert len(tables) == 2
    assert wire_used(tables, context=tables[-2].context, operation="put").wire == "cma"


def test_candidates_prove_nothing() -> None:
    tables = parse_tables(golden("nixl-1.23-candidates"))
    assert {row.count for table in tables for row in table.rows} == {None}
    found = wire_used(tables, context="initiator-w8", operation="put")
    assert (found.wire, found.count) == (evidence.UNKNOWN, 0)
    assert "counted no ucp_put*" in found.reason


@pytest.mark.parametrize("version", ["1.21", "1.22"])
def test_both_layouts_say_the_same(version: str) -> None:
    fetched, sent = parse_tables(golden(f"perftest-{version}-tag"))[1::2]
    assert fetched == Table(
        "perftest",
        "intra-node",
        "cfg#0",
        "rendezvous data fetch(multi) into host memory from host",
        (
            Row(0, 0, 0, "no data fetch", (), estimated=False),
            Row(23, 1, None, "fragmented copy-in copy-out", (LO,), estimated=True),
        ),
    )
    assert sent.rows == (Row(2829, 0, None, "fragmented copy-in copy-out", (LO,), estimated=False),)


def test_1_21_leaves_fast_paths_uncounted() -> None:
    table = parse_tables(golden("perftest-1.21-am"))[0]
    assert table.rows[0] == Row(None, 0, 1862, "short", (LO,), estimated=False)


@pytest.mark.parametrize(
    ("sizes", "wire"),
    [
        (None, "sysv + cma"),
        ((8, 8), "sysv"),
        ((3670, 3671), "sysv + cma"),
        ((3671, 3671), "cma"),
        ((4096, 9**9), "cma"),
    ],
)
def test_only_rows_of_the_sizes_moved_count(sizes: tuple[int, int] | None, wire: str) -> None:
    tables = parse_tables(golden("perftest-1.21-put"))
    assert wire_used(tables, context="perftest", operation="put", sizes=sizes).wire == wire


def test_every_reason_names_what_is_missing() -> None:
    tables = parse_tables(golden("perftest-1.21-put"))[:1]  # only small messages were sent
    assert wire_used(tables, context="n\x1bo", operation="put").reason == "UCX printed no table for 'n\\x1bo'"
    assert "no table of ucp_get*" in wire_used(tables, context="perftest", operation="get").reason
    assert "not moved" in wire_used(tables, context="perftest", operation="put", sizes=(1 << 20, 1 << 20)).reason


def test_processes_that_write_into_one_stream_do_not_mix() -> None:
    lines = golden("perftest-1.21-tag").splitlines(keepends=True)
    sides = [[line for line in lines if f"host:{pid} " in line] for pid in (1001, 1002)]
    mixed = "".join(line for pair in itertools.zip_longest(*sides, fillvalue="") for line in pair)
    assert sorted(map(str, parse_tables(mixed))) == sorted(map(str, parse_tables("".join(lines))))


# Shapes that need hardware or a name this machine does not have.


def legacy(config: str, *, context: str = "a", description: str = "zero-copy") -> str:
    lines = ("+--+", f"| {context} inter-node cfg#2 | remote memory write by ucp_put*(fast-completion|multi) |", "+--+")
    return "".join(f"{PREFIX}{line}\n" for line in (*lines, f"| 4  8K..inf | {description} | {config} |", "+--+"))


@pytest.mark.parametrize(
    ("config", "lanes", "detail"),
    [
        (
            "rc_mlx5/mlx5_0:1 50% on path0 and 50% on path1",
            (Lane("rc_mlx5", "mlx5_0:1/path0", 50), Lane("rc_mlx5", "mlx5_0:1/path1", 50)),
            "zero-copy over rc_mlx5/mlx5_0:1/path0 50% + rc_mlx5/mlx5_0:1/path1 50%",
        ),
        (
            "30% on tcp/a, 30% on tcp/b, and 40% on cma/memory",
            (Lane("tcp", "a", 30), Lane("tcp", "b", 30), Lane("cma", "memory", 40)),
            "zero-copy over tcp/a 30% + tcp/b 30% + cma/memory 40%",
        ),
        ("cuda_ipc/cuda", (Lane("cuda_ipc", "cuda", 100),), "zero-copy over cuda_ipc/cuda"),
    ],
)
def test_lanes(config: str, lanes: tuple[Lane, ...], detail: str) -> None:
    tables = parse_tables(legacy(config))
    assert tables[0].rows == (Row(4, 8192, None, "zero-copy", lanes, estimated=False),)
    assert wire_used(tables, context="a", operation="put").detail == detail


def test_a_list_of_lanes_that_ucx_cut_loses_its_last() -> None:
    config = ", ".join(f"12% on rc_mlx5/mlx5_{i}:1" for i in range(8))[:127]
    assert [lane.device for lane in parse_tables(legacy(config))[0].rows[0].lanes] == [f"mlx5_{i}:1" for i in range(5)]


@pytest.mark.parametrize("agent", ["with | bar", "self cfg#0", "x" * 40, "ü" * 16])
def test_any_name_of_one_line_is_found_again(agent: str) -> None:
    printed = agent.encode()[:31].decode(errors="replace")  # observed
    assert wire_used(parse_tables(legacy("tcp/lo", context=printed)), context=agent, operation="put").wire == "tcp"


@pytest.mark.parametrize(
    "body",
    [
        "| 4 0..inf | zero-copy | tcp/lo |",  # no table is open
        "| a intra-node cfg#1 | put |\n| 4 0..inf | zero-copy |",
        "| a intra-node cfg#1 | put |\n| 4 9..inf..3 | zero-copy | tcp/lo |",
        "| a intra-node cfg#1 | put |\n| 4 9..3 | zero-copy | tcp/lo |",
        "| a intra-node cfg#1 | put |\n| 4 0..3 | zero-copy | some new words |",
        "| a intra-node cfg#1 | put |\n| 4 0..3 | \x1b[31mred | tcp/lo |",
        "| a intra-node cfg#1 | put |\n| b intra-node cfg#1 | put |",
        "| a intra-node cfg#1 |\n| put |\n| Range | Count | Description | Config |",
        "| a intra-node cfg#1 | put |",
        "| a intra-node cfg#1 | put |\n| 4 0..in",
        "|" + "x" * 2000 + "|",
    ],
)
def test_an_unknown_shape_is_quoted_not_guessed(body: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse_tables("".join(f"{PREFIX}{line}\n" for line in body.split("\n")))
    assert "\x1b" not in str(caught.value)
    assert ascii(body.rsplit("\n", maxsplit=1)[-1][:20]).strip("'") in caught.value.message or "no end" in str(
        caught.value
    )


def test_a_huge_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_TEXT", 100)
    with pytest.raises(EvidenceError, match="UCX log"):
        parse_tables("x" * 101)


# Properties.

words = st.from_regex(r"[a-z][a-z-]{0,12}( [a-z-]{1,9}){0,3}", fullmatch=True).filter(
    lambda text: not text.startswith(evidence._FOREIGN)
)
lanes_of_one = st.builds(
    Lane, st.sampled_from(["tcp", "rc_mlx5", "cma"]), st.sampled_from(["lo", "mlx5_0:1"]), st.just(100)
)
rails = st.integers(1, 99).map(lambda share: (Lane("tcp", "lo", share), Lane("rc_mlx5", "mlx5_1:1/path0", 100 - share)))
sizes = st.one_of(st.integers(0, 1 << 62), st.integers(1, 1 << 20).map(lambda kibibytes: kibibytes << 10))


@st.composite
def rows(draw: st.DrawFn, count: st.SearchStrategy[int | None]) -> Row:
    low, high = sorted((draw(sizes), draw(sizes)))
    return Row(
        draw(count),
        low,
        draw(st.sampled_from([high, None])),
        draw(words),
        draw(st.one_of(st.just(()), lanes_of_one.map(lambda lane: (lane,)), rails)),
        estimated=draw(st.booleans()),
    )


@st.composite
def tables_of(draw: st.DrawFn, *, counts: bool | None) -> Table:
    """Draw a table; `counts` None lets single rows go uncounted, as 1.21 does."""
    some = st.integers(0, 10**12)
    count = {True: some, False: st.none(), None: st.one_of(st.none(), some)}[counts]
    return Table(
        draw(st.text("ab09|+-_#:/ü漢", min_size=1, max_size=12)),
        draw(st.sampled_from(["self", "intra-node", "inter-node"])),
        f"cfg#{draw(st.integers(0, 99))}",
        draw(words),
        tuple(draw(st.lists(rows(count), min_size=1, max_size=4))),
    )


def cells(row: Row, *, pack: bool) -> list[str]:
    low = f"{row.low >> 10}K" if row.low and row.low % 1024 == 0 else str(row.low)
    span = low if row.low == row.high else f"{low}..{'inf' if row.high is None else row.high}"
    count = [] if row.count is None else [str(row.count)]
    lanes = " and ".join(f"{lane.percent}% on {lane.transport}/{lane.device}" for lane in row.lanes)
    config = lanes.removeprefix("100% on ")
    first = ["   ".join([*count, span])] if pack else [*count, span]
    return [*first, "(?) " * row.estimated + row.description, config]


def render(table: Table, *, legacy_layout: bool) -> str:
    title = f"{table.context} {table.reach} {table.config}"
    heading = [[title, table.operation]] if legacy_layout else [[title], [table.operation]]
    if not legacy_layout:
        counted = table.rows[0].count is not None
        heading.append(["Count"] * counted + ["Range", "Description", "Config"])
    lines = [*heading, *(cells(row, pack=legacy_layout) for row in table.rows)]
    body = ["+---+", *("| " + " | ".join(line) + "  |" for line in lines), "+---+"]
    return "".join(f"{PREFIX}{line}\n" for line in body)


@given(st.lists(st.one_of(tables_of(counts=True), tables_of(counts=False)), max_size=3))
def test_what_1_22_renders_is_read_back(tables: list[Table]) -> None:
    assert parse_tables("".join(render(table, legacy_layout=False) for table in tables)) == tables


@given(st.lists(tables_of(counts=None), max_size=3))
def test_what_1_21_renders_is_read_back(tables: list[Table]) -> None:
    assert parse_tables("".join(render(table, legacy_layout=True) for table in tables)) == tables


@given(
    st.lists(
        st.one_of(st.text(), st.text(alphabet="|+ 0123456789.infcg#%/()\x1b").map(lambda body: f"{PREFIX}|{body}|"))
    )
)
def test_noise_is_skipped_or_refused(lines: list[str]) -> None:
    message = ""
    try:
        parse_tables("\n".join(lines))
    except EvidenceError as error:
        message = error.message
    assert message.isascii()
    assert message.isprintable()


@given(st.sampled_from(NAMES), st.data())
def test_a_log_cut_anywhere_gives_whole_tables_or_is_refused(name: str, data: st.DataObject) -> None:
    text = golden(name.removesuffix(".txt"))
    whole = parse_tables(text)
    end = data.draw(st.integers(0, len(text)))
    try:
        tables = parse_tables(text[:end])
    except EvidenceError:
        return
    assert tables == whole[: len(tables)]
