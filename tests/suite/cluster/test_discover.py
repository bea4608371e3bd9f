"""From any environment to the world that is there, or to a message that names the variables."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from suite.cluster import discover
from suite.cluster.discover import Flags
from suite.cluster.hostlist import first_host
from suite.cluster.world import Address, World
from suite.errors import BadInput
from tests.suite.cluster.truths import (
    ALL,
    NAMES,
    NUMBERS,
    WITH_ADDRESS,
    Truth,
    hydra,
    kubernetes,
    leader_worker_set,
    open_mpi,
    slurm,
    torchrun,
    truths,
)
from tests.suite.cluster.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RENDEZVOUS = "10.0.0.1:29400"
odd_numbers = st.sampled_from(
    ["", " 1", "1 ", "+1", "-1", "1_0", "01", "٣", "0x1", "1e0", "99999999", "1.0", "\x1b[31m", "nan"]
)
hosts = st.sampled_from(["a b", "-x", "a/../b", "$(id)", "", "x" * 300, "[::1", "a;b", "\x1b[2J", ":::"])


def place(truth: Truth) -> tuple[int, int]:
    return truth.rank, truth.size


def refused(environment: Mapping[str, str], flags: Flags | None = None) -> BadInput:
    """Return the refusal: printable, with a remedy, and never another exception."""
    with pytest.raises(BadInput) as caught:
        discover.join(environment, flags or Flags())
    assert caught.value.message.isprintable()
    assert caught.value.message.isascii()
    assert caught.value.hint
    return caught.value


# --- properties; each is tried on the real thing, and all of them on each faulty variant


def agreeing_sources_make_their_world(data: st.DataObject) -> None:
    """Whatever subset of launchers speaks: one world, the same for all."""
    truth = data.draw(truths())
    chosen = data.draw(st.lists(st.sampled_from(sorted(WITH_ADDRESS)), min_size=1, unique=True))
    environment: dict[str, str] = {}
    for name in chosen:
        environment |= ALL[name](truth)
    found = discover.join(environment)
    assert (found.rank, found.size) == place(truth)
    assert found.meeting
    assert found.local_rank in {None, truth.local_rank}
    assert found.node in {None, truth.node}


def an_address_on_the_command_line_completes_mpi(data: st.DataObject) -> None:
    truth = data.draw(truths())
    make = data.draw(st.sampled_from([open_mpi, hydra, slurm, torchrun, leader_worker_set]))
    found = discover.join(make(truth), Flags(rendezvous=RENDEZVOUS))
    assert (found.rank, found.size, found.meeting) == (*place(truth), Address("10.0.0.1", 29400))


def all_ranks_meet_at_one_place(data: st.DataObject) -> None:
    """And the ranks of another job elsewhere, or under another name."""
    truth, other = data.draw(truths()), data.draw(truths())
    make = ALL[data.draw(st.sampled_from(sorted(WITH_ADDRESS)))]
    mine = [discover.join(make(Truth(truth.nodes, truth.per_node, rank, truth.job))) for rank in (0, truth.size - 1)]
    assert mine[0].meeting == mine[1].meeting
    assert mine[0].run == mine[1].run
    assert mine[0].run
    if truth.job != other.job:
        theirs = discover.join(make(Truth(truth.nodes, truth.per_node, 0, other.job)))
        assert theirs.run != mine[0].run


def jobs_on_one_host_have_ports_of_their_own(data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([open_mpi, slurm, torchrun]))
    ports = set()
    for job in range(1, 21):
        found = discover.join(make(Truth(1, 4, 0, job)))
        assert found.meeting
        ports.add(found.meeting.port)
    assert len(ports) > 15


def torchruns_own_port_is_left_to_it(data: st.DataObject) -> None:
    truth = data.draw(truths())
    found = discover.join(torchrun(truth))
    assert found.meeting is not None
    assert found.meeting.host == truth.head
    assert found.meeting.port in range(20_000, 30_000)
    assert found.meeting.port != truth.port or truth.port >= 20_000


def the_inner_launcher_is_believed(data: st.DataObject) -> None:
    """`srun torchrun` and mpirun in an sbatch script: Slurm's numbers are those of their parents."""
    inner, outer = data.draw(truths()), data.draw(truths())
    make = data.draw(st.sampled_from([torchrun, open_mpi, hydra]))
    found = discover.join(slurm(outer) | make(inner), Flags(rendezvous=RENDEZVOUS))
    assert (found.rank, found.size) == place(inner)


def sources_that_disagree_are_named(data: st.DataObject) -> None:
    truth, other = data.draw(truths()), data.draw(truths())
    if place(truth) == place(other):
        return
    for outer in (slurm, leader_worker_set):
        told = str(refused(kubernetes(truth) | outer(other)))
        assert "disagree" in told
        assert ("RANK=" in told and "SIZE=" not in told) or "WORLD_SIZE=" in told
        assert any(name in told for name in ("SLURM_PROCID=", "SLURM_NTASKS=", "LWS_WORKER_INDEX=", "LWS_GROUP_SIZE="))


def flags_that_disagree_are_named(data: st.DataObject) -> None:
    truth, other = data.draw(truths()), data.draw(truths())
    make = ALL[data.draw(st.sampled_from(sorted(ALL)))]
    flags = Flags(other.rank, other.size, RENDEZVOUS)
    if make is kubernetes or place(truth) != place(other):
        assert "disagree" in str(refused(make(truth), flags))
    else:
        assert (found := discover.join(make(truth), flags)).size == truth.size
        assert found.meeting == Address("10.0.0.1", 29400)


def a_rendezvous_that_differs_is_named(data: st.DataObject) -> None:
    told = str(refused(kubernetes(data.draw(truths())), Flags(rendezvous=RENDEZVOUS)))
    assert "MASTER_ADDR" in told
    assert "--rendezvous" in told


def half_a_world_is_none(data: st.DataObject) -> None:
    """Any one of rank, size and address missing: the variable is named."""
    truth = data.draw(truths())
    lacking, environment = data.draw(
        st.sampled_from(
            [
                ("RANK", kubernetes(truth)),
                ("WORLD_SIZE", kubernetes(truth)),
                ("MASTER_ADDR", kubernetes(truth)),
                ("MASTER_PORT", kubernetes(truth)),
                ("RANK", torchrun(truth)),
                ("WORLD_SIZE", torchrun(truth)),
                ("SLURM_NTASKS", slurm(truth)),
                ("SLURM_JOB_ID", slurm(truth)),
                ("OMPI_COMM_WORLD_RANK", open_mpi(truth)),
                ("OMPI_COMM_WORLD_SIZE", open_mpi(truth)),
                ("PMI_RANK", hydra(truth)),
                ("PMI_SIZE", hydra(truth)),
                ("LWS_WORKER_INDEX", leader_worker_set(truth)),
                ("LWS_GROUP_SIZE", leader_worker_set(truth)),
                ("LWS_LEADER_ADDRESS", leader_worker_set(truth)),
            ]
        )
    )
    del environment[lacking]
    assert lacking in refused(environment).message


def mpi_on_several_hosts_needs_an_address(data: st.DataObject) -> None:
    truth = data.draw(truths())
    make = data.draw(st.sampled_from([open_mpi, hydra]))
    if truth.nodes > 1:
        assert "--rendezvous" in str(refused(make(truth)))
    else:
        assert (meeting := discover.join(make(truth)).meeting)
        assert meeting.host == "127.0.0.1"


def values_out_of_order_are_named(data: st.DataObject) -> None:
    truth = data.draw(truths())
    environment = ALL[data.draw(st.sampled_from(sorted(WITH_ADDRESS)))](truth)
    name = data.draw(st.sampled_from([name for name in NUMBERS if name in environment]))
    environment[name] = data.draw(odd_numbers)
    assert f"{name}=" in refused(environment).message


def a_rank_is_below_the_size(data: st.DataObject) -> None:
    truth = data.draw(truths())
    for make, rank, size in ((kubernetes, "RANK", "WORLD_SIZE"), (slurm, "SLURM_PROCID", "SLURM_NTASKS")):
        beyond = str(truth.size + data.draw(st.integers(0, 3)))
        told = refused(make(truth) | {rank: beyond}).message
        assert rank in told
        assert size in told
    for make, local in ((torchrun, "LOCAL_RANK"), (slurm, "SLURM_LOCALID"), (slurm, "SLURM_NODEID")):
        assert local in refused(make(truth) | {local: str(truth.size)}).message


def hostile_hosts_are_named(data: st.DataObject) -> None:
    truth = data.draw(truths())
    if truth.nodes == 1:
        return
    for make, name in (
        (kubernetes, "MASTER_ADDR"),
        (slurm, "SLURM_STEP_NODELIST"),
        (leader_worker_set, "LWS_LEADER_ADDRESS"),
    ):
        assert name in refused(make(truth) | {name: data.draw(hosts)}).message


def a_step_is_not_its_job(data: st.DataObject) -> None:
    truth, job = data.draw(truths()), data.draw(truths())
    environment = slurm(truth) | {"SLURM_NTASKS": str(job.size), "SLURM_STEP_NUM_TASKS": str(truth.size)}
    assert place(truth) == ((found := discover.join(environment)).rank, found.size)


def slurm_names_the_first_host(data: st.DataObject) -> None:
    truth = data.draw(truths())
    environment = slurm(truth) | {"SLURM_NNODES": "2", "SLURM_STEP_NODELIST": "gpu-a[007-009,011],gpu-b1"}
    assert (meeting := discover.join(environment).meeting)
    assert meeting.host == "gpu-a007"


def anything_is_a_whole_world_or_a_refusal(data: st.DataObject) -> None:
    word = st.one_of(st.text(max_size=8), st.integers(-1, 4).map(str), st.just("n[1-2]"))
    environment = data.draw(st.dictionaries(st.sampled_from(NAMES), word, max_size=8))
    with suppress(BadInput):
        found = discover.join(environment)
        assert 0 <= found.rank < found.size
        assert found.meeting or found.size == 1
        assert all(value is None or 0 <= value < found.size for value in (found.local_rank, found.node))


PROPERTIES: tuple[Callable[[st.DataObject], None], ...] = (
    agreeing_sources_make_their_world,
    an_address_on_the_command_line_completes_mpi,
    all_ranks_meet_at_one_place,
    jobs_on_one_host_have_ports_of_their_own,
    torchruns_own_port_is_left_to_it,
    the_inner_launcher_is_believed,
    sources_that_disagree_are_named,
    flags_that_disagree_are_named,
    a_rendezvous_that_differs_is_named,
    half_a_world_is_none,
    mpi_on_several_hosts_needs_an_address,
    values_out_of_order_are_named,
    a_rank_is_below_the_size,
    hostile_hosts_are_named,
    a_step_is_not_its_job,
    slurm_names_the_first_host,
    anything_is_a_whole_world_or_a_refusal,
)


def tried(check: Callable[[st.DataObject], None], examples: int, *, shrink: bool = True) -> None:
    """Run a property; derandomized, so that what a variant does is found in every run or in none."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])]

    @settings(max_examples=examples, derandomize=True, database=None, phases=phases,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def run(data: st.DataObject) -> None:
        check(data)

    run()


@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__)
def test_it_holds(check: Callable[[st.DataObject], None]) -> None:
    tried(check, 8)


@pytest.mark.deep
@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__)
def test_it_holds_for_long(check: Callable[[st.DataObject], None]) -> None:
    tried(check, 60)


def _found_out() -> bool:
    for check in PROPERTIES:
        try:
            tried(check, 10, shrink=False)
        except BaseException:  # noqa: BLE001  pytest.fail and whatever a faulty variant raises
            return True
    return False


QUICK = ("believes_the_first_source",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.deep]) for name in VARIANTS]
)
def test_a_faulty_variant_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    VARIANTS[name](monkeypatch)
    assert _found_out()


# --- examples


def test_without_a_word_it_is_a_world_of_one() -> None:
    assert discover.join({"PATH": "/bin", "MASTER_ADDR": "x", "SLURM_NTASKS": "4"}) == World()


def test_a_world_of_one_needs_no_address() -> None:
    found = discover.join({"RANK": "0", "WORLD_SIZE": "1"})
    assert (found.size, found.meeting) == (1, None)


def test_alone_hears_nobody_and_nothing_beside_it() -> None:
    assert discover.join({"RANK": "x", "WORLD_SIZE": "-1"}, Flags(alone=True)).size == 1
    assert "--rank" in refused({}, Flags(rank=0, alone=True)).message


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (Flags(rank=0), "--world-size"),
        (Flags(size=2), "--rank"),
        (Flags(rank=0, size=2), "--rendezvous"),
        (Flags(rendezvous="a:1"), "--rendezvous"),
        (Flags(rank=2, size=2, rendezvous="a:1"), "--rank=2"),
        (Flags(rank=-1, size=2, rendezvous="a:1"), "--rank"),
        (Flags(rank=0, size=0, rendezvous="a:1"), "--world-size=0"),
        (Flags(rank=0, size=1 << 17, rendezvous="a:1"), "--world-size"),
        *[
            (Flags(0, 2, text), "--rendezvous")
            for text in ("a", "a:", ":1", "a:0", "a:65536", "::1:5", "[x]y:1", "a b:1")
        ],
    ],
)
def test_flags_that_make_no_world(flags: Flags, named: str) -> None:
    assert named in refused({}, flags).message


def test_an_ipv6_address_is_one() -> None:
    found = discover.join({}, Flags(0, 2, "[::1]:5000"))
    assert found.meeting == Address("::1", 5000)
    assert "[::1]:5000" in found.sentence()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("n1", "n1"),
        ("n[1-2]", "n1"),
        ("n[03,5-7]x,m", "n03x"),
        ("a.b-c,d", "a.b-c"),
        ("r[1-2]", "r1"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_first_of_a_node_list(text: str, first: str) -> None:
    assert first_host(text, "V") == first


@pytest.mark.parametrize("text", ["", ",", "n[", "n[]", "n[1-]", "n]1[", "n[1]m[2]", "n 1", "n[1", "[" * 70_000])
def test_what_is_no_node_list(text: str) -> None:
    with pytest.raises(BadInput, match="V"):
        first_host(text, "V")
