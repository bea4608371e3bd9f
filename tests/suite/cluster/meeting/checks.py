"""What a meeting must do, one sentence a check."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from contextlib import suppress
from typing import Any

import pytest

from suite.cluster.meeting.greeting import Me
from suite.cluster.meeting.messages import Hello, Phase, Piece, Put, encode
from suite.cluster.meeting.roll import Patience, Roll, Run
from suite.cluster.world import Address
from suite.errors import BadInput, PeerLost
from tests.suite.cluster.meeting.impostors import a_false_rank_0_is_found_out, a_hello_is_good_for_one_connection
from tests.suite.cluster.meeting.together import (
    HASTY,
    LONG,
    OTHER,
    SPEC,
    TOKEN,
    Kept,
    cut,
    failed,
    framed,
    hub,
    member,
    stop,
    two,
)
from tests.suite.cluster.meeting.traffic import traffic_grows_with_the_ranks


async def ranks_meet_and_are_answered() -> None:
    async with two() as (place, first, second):
        first.put("place", {"gpu": 0})
        second.put("place", {"gpu": 1})
        assert await place.gather("place", LONG) == [{"gpu": 0}, {"gpu": 1}]
        place.scatter("place", ["a", ["b", None, 1.5]])
        assert await first.get("place", LONG) == "a"
        assert await second.get("place", LONG) == ["b", None, 1.5]
        await asyncio.gather(place.barrier("go", LONG), *(one.exchange("go", None, LONG) for one in (first, second)))
        first.leave()
        second.leave()
        await place.all_left(LONG)
        assert place.failure is None


async def records_come_whole_and_in_order() -> None:
    kept = Kept()
    lines = ["{}", "ü\x00\u2028" * 150_000, "\U0001f600" * 150_000, "x" * 150_000, "y" * 150_001]
    async with hub(keep=kept) as place, member(place, 0) as first, member(place, 1) as second:
        for line in lines:
            await asyncio.gather(first.keep(line, LONG), second.keep(line[::-1], LONG))
        assert kept.of(0) == lines
        assert kept.of(1) == [line[::-1] for line in lines]


async def _refused(code: str, said: str, rank: int = 1, size: int = 2, **changes: Any) -> None:
    async with hub() as place, member(place, 0) as first:
        with pytest.raises(BadInput) as caught:
            async with member(place, rank, size, **changes):
                pass
        assert caught.value.code == code
        assert f"rank {rank}" in caught.value.message
        assert said in caught.value.message
        error = await failed(place.everyone())
        assert (error.failure.rank, error.failure.phase) == (rank, "join")
        assert said in error.message
        told = await failed(first.get("anything", LONG))
        assert told.failure == error.failure


async def a_rank_of_another_version() -> None:
    await _refused("other-version", "2.0", version="2.0")


async def a_rank_of_another_spec() -> None:
    await _refused("other-spec", "spec", spec="1" * 64)


async def a_rank_of_another_world() -> None:
    await _refused("other-size", "of 3", rank=2, size=3)


async def a_rank_comes_twice() -> None:
    async with two() as (place, first, second):
        with pytest.raises(BadInput, match=r"rank 1.*second.*host1, process 101") as caught:
            async with member(place, 1, host="elsewhere"):
                pass
        assert caught.value.code == "joined-twice"
        await asyncio.gather(place.barrier("go", LONG), *(one.exchange("go", None, LONG) for one in (first, second)))


async def another_run_is_refused() -> None:
    """Two runs on one machine: each completes, and neither takes the other's rank."""
    async with hub() as mine, hub(token=OTHER) as theirs:
        for place, token in ((mine, OTHER), (theirs, TOKEN)):
            with pytest.raises(BadInput, match="another run") as caught:
                async with member(place, 0, token=token):
                    pass
            assert caught.value.code == "other-token"
        async with member(mine, 0), member(mine, 1), member(theirs, 0, token=OTHER), member(theirs, 1, token=OTHER):
            await asyncio.gather(mine.everyone(), theirs.everyone())


async def strangers_cost_nothing() -> None:
    deep = b'{"kind":"hello","version":' + b"[" * 2000
    said = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"\xff" * 8,
        framed(b"{}"),
        framed(deep),
        framed(b"\xff"),
    ]
    async with hub() as place:
        writers = []
        for data in said:
            _, writer = await asyncio.open_connection(*place.address)
            writer.write(data)
            writers.append(writer)
        async with member(place, 0) as first, member(place, 1) as second:
            await place.everyone()
            while len(place.strangers) < len(said):
                await asyncio.sleep(0.01)
            await asyncio.gather(
                place.barrier("go", LONG), *(one.exchange("go", None, LONG) for one in (first, second))
            )
        assert place.failure is None
        assert all(line.isprintable() and line.isascii() for line in place.strangers)
        for writer in writers:
            writer.close()


async def missing_ranks_are_named() -> None:
    async with hub(4, patience=HASTY) as place, member(place, 1, 4) as second:
        error = await failed(place.everyone())
        assert "ranks 0, 2, 3 of 4 did not join within 0.3 s" in error.message
        assert (await failed(second.get("x", LONG))).failure == error.failure
        with pytest.raises(PeerLost, match=r"when the run was over.*ranks 0, 2, 3 of 4"):
            async with member(place, 2, 4):
                pass


async def nobody_is_there() -> None:
    async with hub() as place:
        address = place.address
    with pytest.raises(PeerLost, match=f"rank 1 has not met rank 0 at {address} within 0.3 s"):
        async with member(address, 1, patience=HASTY):
            pass


async def a_rank_waits_for_rank_0() -> None:
    """Ranks start in any order."""
    async with hub() as place:
        address = place.address
    early = asyncio.create_task(member(address, 1).__aenter__())
    await asyncio.sleep(0.1)
    async with hub(address=address) as place, member(place, 0):
        await place.everyone()
        await (await early).__aexit__()


async def it_listens_only_where_told() -> None:
    async with hub() as place:
        assert place.address.host == "127.0.0.1"
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.2", place.address.port)
        with pytest.raises(BadInput, match="taken"):
            await hub(address=place.address).__aenter__()
    for address, said in (
        (Address("0.0.0.0", 0), "every address"),  # noqa: S104  refused
        (Address("192.0.2.77", 1), "no such address"),
        (Address("no.such.host.invalid", 1), "no.such.host.invalid"),
    ):
        with pytest.raises(BadInput, match=said):
            await hub(address=address).__aenter__()


async def mistakes_are_named() -> None:
    """Let a rank say what it must not: that costs the run, by its name and phase."""
    huge = struct.pack(">I", (1 << 20) + 1)
    for said, what in (
        (framed(encode(Put(key="a", value=1))) * 2, "put twice"),
        (framed(encode(Piece(index=1, text="x", ends=True))), "piece 1 where 0"),
        (framed(encode(Piece(index=0, text="a\nb", ends=True))), "one line"),
        (huge + b"x" * 100, "1048577 bytes"),
        (framed(b'{"kind":"beat","more":1}'), "more"),
        (framed(b'{"kind":"phase","name":"a\\nb","deadline_s":null,"quiet":false}'), "name"),
        (framed(b'{"kind":"phase","name":"a","deadline_s":NaN,"quiet":false}'), "deadline_s"),
    ):
        async with two() as (place, _first, second):
            second.phase("launch 1", LONG)
            second._frames._writer.write(said)
            error = await failed(place.gather("never", 2.0))
            assert (error.failure.rank, error.failure.phase) == (1, "launch 1"), error.message
            assert what in error.message


async def the_first_failure_counts() -> None:
    async with two() as (place, first, second):
        second.abort("no GPU\x1b[31m")
        error = await failed(place.gather("x", LONG))
        cut(first)
        await asyncio.sleep(0.05)
        assert place.failure == error.failure
        assert error.failure.rank == 1
        assert "no GPU" in error.message


async def a_rank_that_is_cut_off() -> None:
    async with two() as (place, first, second):
        second.phase("launch 3", LONG)
        waiting = asyncio.create_task(first.get("x", 3.0))
        await asyncio.sleep(0.02)
        cut(second)
        error = await failed(place.gather("x", LONG))
        assert (error.failure.rank, error.failure.phase) == (1, "launch 3")
        assert (await failed(waiting)).failure == error.failure


async def a_rank_that_is_silent() -> None:
    async with two() as (place, first, second):
        second.phase("launch 3")
        await asyncio.sleep(0.02)
        stop(second)
        error = await failed(place.gather("x", 5.0))
        assert (error.failure.rank, error.failure.phase) == (1, "launch 3")
        assert "not heard" in error.message
        assert "host1" in error.message
        assert (await failed(first.get("x", LONG))).failure.rank == 1


async def a_rank_that_is_late_in_its_phase() -> None:
    async with two() as (place, _first, second):
        second.phase("check bytes", 0.2)
        error = await failed(place.gather("x", 5.0))
        assert (error.failure.rank, error.failure.phase) == (1, "check bytes")
        assert "not done after 0.2 s" in error.message


async def who_does_not_come_is_named() -> None:
    async with two() as (place, first, second):
        first.put("plan", 1)
        second.phase("place")
        error = await failed(place.gather("plan", 0.2))
        assert (error.failure.rank, error.failure.phase) == (1, "place")
        assert "rank 1 did not come to 'plan' within 0.2 s" in error.message


async def who_waits_is_not_late() -> None:
    async with two() as (place, first, second):
        first.phase("launch 1", 0.1)
        first.put("done", 1)
        second.phase("launch 1", LONG)
        await asyncio.sleep(0.3)
        second.put("done", 2)
        assert await place.gather("done", LONG) == [1, 2]


async def a_quiet_phase_is_quiet() -> None:
    """No message in either direction, longer than a silence may be; its own deadline holds."""
    async with two() as (place, first, second):
        for one in (first, second):
            one.phase("window", 3.0, quiet=True)
        await asyncio.sleep(0.1)
        before = (place.traffic.messages_in, place.traffic.messages_out)
        await asyncio.sleep(0.8)
        assert (place.traffic.messages_in, place.traffic.messages_out) == before
        assert place.failure is None
        first.phase("after")
        second.phase("window", 0.1, quiet=True)
        error = await failed(place.gather("x", 5.0))
        assert (error.failure.rank, error.failure.phase) == (1, "window")


async def rank_0_that_leaves_is_named() -> None:
    async with hub() as place, member(place, 1) as second:
        waiting = asyncio.create_task(second.get("x", LONG))
        await asyncio.sleep(0.02)
        await place.__aexit__()
        assert (await failed(waiting)).failure.rank == 0


async def rank_0_is_excused_for_nothing_but_its_own_sleep() -> None:
    book = Roll(Run(1, "1.0", SPEC), Patience())
    book.admit(Hello(**Me(0, 1, "1.0", SPEC, "h", 1)._asdict(), nonce="0" * 32, proof="0" * 64), 100.0)
    book.enter(0, Phase(name="work", deadline_s=20.0, quiet=False), 100.0)
    book.excuse(0.5)  # no longer than a beat: nothing
    assert book.overdue(110.0) is None
    assert (found := book.overdue(110.1))
    assert "not heard" in found.reason
    book.excuse(30.0)
    assert book.overdue(140.0) is None
    book.heard(0, 145.0)
    assert book.overdue(150.0) is None
    assert (found := book.overdue(150.1))
    assert "not done after 20 s" in found.reason


async def what_a_dead_rank_finished_is_kept() -> None:
    """And what the others still have when they hear of it."""
    kept = Kept()
    async with hub(keep=kept) as place, member(place, 0) as first, member(place, 1) as second:
        await second.keep('{"launch":1}', LONG)
        second._send(Piece(index=1, text='{"launch":2', ends=False))
        await asyncio.sleep(0.02)
        cut(second)
        await failed(first.get("x", LONG))
        await first.keep('{"launch":1}', 3.0)
        assert kept.lines == [(1, '{"launch":1}'), (0, '{"launch":1}')]


async def a_full_disk_ends_the_run() -> None:
    def keep(_rank: int, _line: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with hub(keep=keep) as place, member(place, 1) as second:
        await place._changes.until(lambda: bool(place._frames), LONG)
        with pytest.raises(PeerLost):
            await second.keep("{}", 1.0)
        assert place.failure
        assert place.failure.rank == 0
        assert "No space left" in place.failure.reason


async def a_rank_that_does_not_read_is_named() -> None:
    async with hub(patience=Patience()) as place, member(place, 0) as first, member(place, 1) as second:
        await place.everyone()
        stop(second)  # noticed by what is unsent, long before its silence is
        number = 0
        while not place.failure:
            place.broadcast(f"k{number}", "x" * 900_000)
            with suppress(PeerLost):
                await first.get(f"k{number}", LONG)
            number += 1
        assert place.failure.rank == 1
        assert "does not read" in place.failure.reason


CHECKS = {
    check.__name__: check
    for check in (
        ranks_meet_and_are_answered, records_come_whole_and_in_order, a_rank_of_another_version, a_rank_of_another_spec,
        a_rank_of_another_world, a_rank_comes_twice, another_run_is_refused, a_hello_is_good_for_one_connection,
        a_false_rank_0_is_found_out, strangers_cost_nothing, missing_ranks_are_named, nobody_is_there,
        a_rank_waits_for_rank_0, it_listens_only_where_told, mistakes_are_named, the_first_failure_counts,
        a_rank_that_is_cut_off, a_rank_that_is_silent, a_rank_that_is_late_in_its_phase, who_does_not_come_is_named,
        who_waits_is_not_late, a_quiet_phase_is_quiet, rank_0_that_leaves_is_named,
        rank_0_is_excused_for_nothing_but_its_own_sleep, what_a_dead_rank_finished_is_kept, a_full_disk_ends_the_run,
        a_rank_that_does_not_read_is_named, traffic_grows_with_the_ranks,
    )
}  # fmt: skip
