"""Faulty meetings, written before the checks that find them out; each names the check that must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.cluster.meeting import frames, gathering, greeting, hub, listening, member, proof, records, roll

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Patch = Callable[[pytest.MonkeyPatch], None]

VARIANTS: dict[str, tuple[Patch, str]] = {}


def found_by(check: str) -> Callable[[Patch], Patch]:
    def add(patch: Patch) -> Patch:
        VARIANTS[patch.__name__] = (patch, check)
        return patch

    return add


def without(admit: Any, code: str) -> Any:
    """Return an `admit` that never refuses for `code`."""

    def changed(self: roll.Roll, hello: Any, at_s: float) -> Any:
        found = admit(self, hello, at_s)
        if found and found.code == code:
            self._seats[hello.rank] = roll.Seat(hello.host, hello.pid, at_s)
            return None
        return found

    return changed


@found_by("a_rank_comes_twice")
def admits_a_rank_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "admit", without(roll.Roll.admit, "joined-twice"))


@found_by("a_rank_of_another_version")
def admits_another_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "admit", without(roll.Roll.admit, "other-version"))


@found_by("a_rank_of_another_spec")
def admits_another_spec(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "admit", without(roll.Roll.admit, "other-spec"))


@found_by("a_rank_of_another_world")
def admits_another_size(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "admit", without(roll.Roll.admit, "other-size"))


@found_by("a_rank_of_another_version")
def goes_on_without_the_rank_it_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(greeting, "_FAULTS", dict.fromkeys(greeting._FAULTS, False))


@found_by("strangers_cost_nothing")
def fails_for_a_stranger(patch: pytest.MonkeyPatch) -> None:
    real = greeting.Guard.greet

    async def greet(self: Any, *arguments: Any) -> Any:
        met = await real(self, *arguments)
        return met._replace(wrong=met.stranger)

    patch.setattr(greeting.Guard, "greet", greet)


@found_by("another_run_is_refused")
def takes_any_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(proof.Token, "holds", lambda *_: True)


@found_by("a_hello_is_good_for_one_connection")
def proves_without_the_connections_number(patch: pytest.MonkeyPatch) -> None:
    real = proof.Token.prove
    patch.setattr(proof.Token, "prove", lambda self, who, *words: real(self, who, *words[1:]))


@found_by("a_false_rank_0_is_found_out")
def believes_whoever_welcomes(patch: pytest.MonkeyPatch) -> None:
    real = proof.Token.holds
    patch.setattr(
        proof.Token, "holds", lambda self, told, who, *words: who == "rank 0" or real(self, told, who, *words)
    )


@found_by("strangers_cost_nothing")
def waits_for_a_stranger_for_ever(patch: pytest.MonkeyPatch) -> None:
    real = greeting.Guard.__init__

    def init(self: Any, token: Any, book: Any, patience: Any) -> None:
        real(self, token, book, roll.Patience(patience.join_s, 1e6, patience.beat_s, patience.silence_s))

    patch.setattr(greeting.Guard, "__init__", init)


@found_by("a_rank_that_is_cut_off")
def does_not_tell_the_others(patch: pytest.MonkeyPatch) -> None:
    def fail(self: hub.Hub, failure: Any) -> None:
        self.failure = self.failure or failure
        self._changes.tell()

    patch.setattr(hub.Hub, "fail", fail)


@found_by("the_first_failure_counts")
def tells_the_last_failure(patch: pytest.MonkeyPatch) -> None:
    real = hub.Hub.fail

    def fail(self: hub.Hub, failure: Any) -> None:
        self.failure = None
        real(self, failure)

    patch.setattr(hub.Hub, "fail", fail)


@found_by("a_rank_that_is_silent")
def does_not_mind_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "overdue", lambda self, at_s: None)  # noqa: ARG005  a stand-in


@found_by("a_rank_that_is_late_in_its_phase")
def minds_only_silence(patch: pytest.MonkeyPatch) -> None:
    real = roll.Roll.enter

    def enter(self: roll.Roll, rank: int, phase: Any, at_s: float) -> None:
        real(self, rank, phase.model_copy(update={"deadline_s": None}), at_s)

    patch.setattr(roll.Roll, "enter", enter)


@found_by("who_waits_is_not_late")
def blames_who_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "wait", lambda self, rank: None)  # noqa: ARG005  a stand-in


@found_by("a_quiet_phase_is_quiet")
def beats_in_a_quiet_phase(patch: pytest.MonkeyPatch) -> None:
    real = member.Member.phase
    patch.setattr(member.Member, "phase", lambda self, name, deadline_s=None, **_: real(self, name, deadline_s))


@found_by("rank_0_is_excused_for_nothing_but_its_own_sleep")
def blames_others_for_its_own_sleep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roll.Roll, "excuse", lambda self, late_s: None)  # noqa: ARG005  a stand-in


@found_by("records_come_whole_and_in_order")
def loses_the_last_piece(patch: pytest.MonkeyPatch) -> None:
    real = records.pieces
    patch.setattr(
        member, "pieces", lambda line, first: [one.model_copy(update={"ends": True}) for one in real(line, first)]
    )


@found_by("mistakes_are_named")
def takes_pieces_in_any_order(patch: pytest.MonkeyPatch) -> None:
    real = records.Assembly.add

    def add(self: records.Assembly, piece: Any) -> Any:
        self._next = piece.index
        return real(self, piece)

    patch.setattr(records.Assembly, "add", add)


@found_by("mistakes_are_named")
def takes_a_part_twice(patch: pytest.MonkeyPatch) -> None:
    def put(self: gathering.Gathering, rank: int, key: str, value: Any) -> None:
        self._parts.setdefault(key, {})[rank] = value

    patch.setattr(gathering.Gathering, "put", put)


@found_by("mistakes_are_named")
def takes_messages_of_any_size(patch: pytest.MonkeyPatch) -> None:
    real = frames.Frames.read
    patch.setattr(frames.Frames, "read", lambda self, limit: real(self, limit << 12))


@found_by("what_a_dead_rank_finished_is_kept")
def keeps_nothing_after_a_failure(patch: pytest.MonkeyPatch) -> None:
    real = hub.Hub._stored
    patch.setattr(hub.Hub, "_stored", lambda self, rank, line: self.failure is None and real(self, rank, line))


@found_by("a_full_disk_ends_the_run")
def says_kept_though_the_disk_is_full(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(hub.Hub, "_stored", lambda self, rank, line: True)  # noqa: ARG005  a stand-in


@found_by("it_listens_only_where_told")
def listens_everywhere(patch: pytest.MonkeyPatch) -> None:
    async def looked_up(address: Any) -> str:  # noqa: ARG001  a stand-in
        return "0.0.0.0"  # noqa: S104  the fault

    patch.setattr(listening, "looked_up", looked_up)
    patch.setattr(listening, "ANY", frozenset())


@found_by("traffic_grows_with_the_ranks")
def tells_all_to_all(patch: pytest.MonkeyPatch) -> None:
    real = hub.Hub.scatter
    patch.setattr(hub.Hub, "scatter", lambda self, key, values: real(self, key, [list(values)] * len(values)))
