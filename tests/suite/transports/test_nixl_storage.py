"""NIXL between memory and a file, in this process and in two; what arrives against what numpy says."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from suite.errors import BadInput, Missing, TransferFailed, Unsupported
from suite.kv.plan import Plan
from suite.memory.file import ALIGNMENT, FileRegion
from suite.memory.host import HostRegion
from suite.transports.base import Op, State
from suite.transports.nixl import NixlTransport, missing_for
from suite.world.supervisor import Group, WorkerSpec

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(missing_for("POSIX")), reason=f"{missing_for('POSIX')}"),
]

FORMS = {"aio": "use_aio", "uring": "use_uring", "posixaio": "use_posix_aio"}
NBYTES = 48 << 20
RNG = np.random.default_rng(7)
SERVERS = Path(__file__).parent / "servers"


class One:
    """Memory, a file and an endpoint between them, all in this process."""

    def __init__(self, folder, *, direct=False, nbytes=NBYTES, **settings):
        self.memory = HostRegion(nbytes, "4k")
        self.file = FileRegion(folder / "file", nbytes, direct=direct)
        self.endpoint = NixlTransport("nixl:POSIX").open("one", settings, "initiator")
        self.endpoint.register(self.file)
        self.endpoint.register(self.memory)
        self._closed = False

    def prepare(self, op, rows):
        """Prepare rows of (memory offset, file offset, length); the plan's devices are nonsense."""
        rows = np.asarray(rows, np.uint64)
        device = np.full(len(rows), 77, np.uint64)
        memory = np.column_stack((rows[:, 0] + np.uint64(self.memory.address), rows[:, 2], device))
        file = np.column_stack((rows[:, 1], rows[:, 2], device))
        plan = Plan(*((memory, file) if op is Op.STORE else (file, memory)), 0, 0, 0)
        before = plan.source.copy(), plan.destination.copy()
        transfer = self.endpoint.prepare(op, plan, None, b"")
        np.testing.assert_array_equal(before, (plan.source, plan.destination))
        return transfer

    def move(self, op, rows):
        transfer = self.prepare(op, rows)
        drive(transfer)
        return transfer.posted_descriptors

    def closed_evidence(self):
        if not self._closed:
            self.endpoint.close()
        self._closed = True
        return self.endpoint.evidence(Op.STORE, (1, 1))

    def content(self):
        out = np.empty(self.file.nbytes, np.uint8)
        self.file.read(0, out)
        return out


def drive(transfer):
    state = transfer.post()
    while state is not State.DONE:
        state = transfer.poll()


@pytest.fixture
def one(tmp_path):
    made = []

    def one(**how):
        made.append(One(tmp_path, **how))
        return made[-1]

    yield one
    for each in made:
        each.closed_evidence()
        each.file.close(delete=True)


def direct_or_skip(tmp_path):
    try:
        FileRegion(tmp_path / "probe", ALIGNMENT, direct=True).close(delete=True)
    except Missing as error:
        pytest.skip(str(error))


def random_bytes(count, seed):
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8)


@pytest.fixture
def rows_for(random_rows, tmp_path):
    """Return a builder of 4100 rows: of any bytes, or of whole blocks where there is direct I/O."""

    def rows_for(io):
        if io == "direct":
            direct_or_skip(tmp_path)
        return (whole_blocks if io == "direct" else random_rows)(4100, NBYTES, 1)

    return rows_for


def whole_blocks(count, nbytes, seed):
    """Return rows of one or more blocks at any block, no byte twice on either side."""
    rng = np.random.default_rng(seed)
    slot = nbytes // count // ALIGNMENT
    lengths = rng.integers(1, slot + 1, count)
    places = [rng.permutation(count) * slot + rng.integers(0, slot - lengths + 1) for _ in range(2)]
    return np.column_stack((*places, lengths)) * ALIGNMENT


@pytest.mark.parametrize("io", ["buffered", "direct"])
@pytest.mark.parametrize("form", [*FORMS, "default"])
def test_every_byte_is_where_numpy_says_and_the_queue_is_named(one, moved, rows_for, io, form):
    """STORE and FETCH of thousands of descriptors; bytes that no row names stay as they were."""
    rows = rows_for(io)
    both = one(direct=io == "direct", **({FORMS[form]: "true"} if form in FORMS else {}))
    memory, file = random_bytes(NBYTES, 2), random_bytes(NBYTES, 3)
    both.memory.write(0, memory)
    both.file.write(0, file)
    assert both.move(Op.STORE, rows) >= 4000  # a few meet their neighbours
    file = moved(memory, file, rows)
    assert np.array_equal(both.content(), file)
    assert np.array_equal(both.memory.view(), memory)
    both.move(Op.FETCH, rows[:, [1, 0, 2]])  # other places than it came from
    assert np.array_equal(both.memory.view(), moved(file, memory, rows))
    assert np.array_equal(both.content(), file)
    found = both.closed_evidence()
    assert found.wire == f"posix {form if form in FORMS else 'aio'}, {io}"
    assert found.reason == ""


def test_neighbours_are_merged_and_counted_as_nixl_counts_them(one, monkeypatch):
    monkeypatch.setenv("NIXL_TELEMETRY_ENABLE", "y")
    both = one(nbytes=1 << 20)
    rows = np.column_stack((np.arange(64), np.arange(64), np.ones(64, np.int64))) * 4096
    mixed = np.concatenate((rows[:8], rows[8:16][::-1], rows[20:]))
    some = [rows[np.sort(RNG.choice(64, size, replace=False))] for size in RNG.integers(2, 64, 40)]
    longer = [np.column_stack((rows[:60:2, :2], RNG.choice([4096, 8192], 30))) for _ in range(10)]
    for given in (rows, rows[::-1], rows[::2], rows[:1], rows[[0, 2, 3]], mixed, *some, *longer):
        transfer = both.prepare(Op.STORE, given)
        drive(transfer)
        counted = both.endpoint._nixl.nixl.get_xfer_telemetry(transfer._handles[0]).descCount
        assert transfer.posted_descriptors == counted
    assert both.prepare(Op.FETCH, rows).posted_descriptors == 1


def test_a_transfer_is_posted_as_often_as_wanted(one):
    both = one(nbytes=1 << 16)
    transfer = both.prepare(Op.STORE, [[0, 8192, 4096]])
    for seed in range(3):
        both.memory.write(0, random_bytes(4096, seed))
        drive(transfer)
        np.testing.assert_array_equal(both.content()[8192:12288], random_bytes(4096, seed))
        assert not both.content()[:8192].any()


def test_a_buffered_store_is_done_in_the_page_cache_and_a_direct_one_is_not_there(one, tmp_path):
    """What DONE means is in the record, because the two are ten times apart."""
    direct_or_skip(tmp_path)
    for direct, cached in ((False, 1 << 20), (True, 0)):
        both = one(direct=direct, nbytes=1 << 20)
        both.file.drop_cache()
        both.move(Op.STORE, [[0, 0, 1 << 20]])
        assert both.file.cached_bytes() == cached


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("what", "row"), [("past the end", (0, (1 << 20) - 4096, 8192)), ("wholly past the end", (0, 1 << 21, 4096))]
)
def test_fetching_past_the_end_fails_and_says_so(one, form, what, row):
    """The region is registered longer than the file is: somebody cut it."""
    del what
    both = one(nbytes=1 << 22, **{FORMS[form]: "yes"})
    os.ftruncate(both.file.device, 1 << 20)
    with pytest.raises(TransferFailed, match=r"NIXL could not (finish|post) a transfer: nixlBackendError"):
        both.move(Op.FETCH, [row])
    again = one_more(both, [[0, 0, 4096]])
    assert again == ("failed" if form == "posixaio" else "done")  # POSIXAIO: for ever, though the bytes arrive


def one_more(both, rows):
    try:
        both.move(Op.FETCH, rows)
    except TransferFailed as error:
        assert "a new endpoint" in error.hint  # noqa: PT017  the error is one of two right answers
        return "failed"
    return "done"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", [(1, 0, 4096), (0, 100, 4096), (0, 0, 100)], ids=["memory", "offset", "length"])
def test_direct_io_of_parts_of_a_block_fails_and_names_the_rule(one, tmp_path, form, row):
    direct_or_skip(tmp_path)
    both = one(direct=True, nbytes=1 << 20, **{FORMS[form]: "true"})
    with pytest.raises(TransferFailed, match="nixlBackendError") as failed:
        both.move(Op.STORE, [row])
    assert "multiples of 4096" in failed.value.hint


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_closed_fails_the_transfer(one, form):
    both = one(nbytes=1 << 20, **{FORMS[form]: "true"})
    transfer = both.prepare(Op.STORE, [[0, 0, 4096]])
    both.file.close()
    with pytest.raises(TransferFailed, match="nixlBackendError"):
        drive(transfer)


def test_more_descriptors_than_the_back_end_has_are_refused_before_the_post(one):
    rows = np.column_stack((np.arange(65537) * 2, np.arange(65537) * 2, np.ones(65537, np.int64)))
    both = one(nbytes=1 << 18)
    with pytest.raises(Unsupported, match="65537 descriptors in one transfer, and ios_pool_size is 65536"):
        both.prepare(Op.STORE, rows)
    assert both.move(Op.STORE, rows[:-1]) == 65536


@pytest.mark.parametrize("backend", ["POSIX", "UCX"])
def test_a_setting_the_back_end_does_not_know_is_refused_with_those_it_does(backend):
    with pytest.raises(BadInput, match=f"nixl:{backend} has no setting 'use_magic'") as refused:
        NixlTransport(f"nixl:{backend}").open("one", {"use_magic": "true"}, "initiator")
    assert {"POSIX": "use_uring", "UCX": "num_workers"}[backend] in refused.value.hint


def test_what_storage_cannot_do_is_refused(one):
    both = one(nbytes=1 << 16)
    plan = Plan(np.array([[0, 8, 0]], np.uint64), np.array([[0, 8, 0]], np.uint64), 8, 8, 8)
    for op, peer, tag in ((Op.WRITE, None, b""), (Op.STORE, "b", b""), (Op.STORE, None, b"tag")):
        with pytest.raises(Unsupported):
            both.endpoint.prepare(op, plan, peer, tag)
    with pytest.raises(Unsupported, match="has one memory region"):
        both.endpoint.register(both.memory)
    alone = NixlTransport("nixl:POSIX").open("two", {}, "initiator")
    with pytest.raises(Unsupported, match="register one memory and one file"):
        alone.prepare(Op.STORE, plan, None, b"")
    alone.close()


def test_traits_say_what_each_back_end_moves():
    for backend, memory in (("POSIX", {"host"}), ("GDS", {"host", "cuda"}), ("GDS_MT", {"host", "cuda"})):
        traits = NixlTransport(f"nixl:{backend}").traits
        assert traits.ops == {Op.STORE, Op.FETCH}
        assert traits.memory == {(kind, "file") for kind in memory}
        assert not traits.notifies
    traits = NixlTransport("nixl:UCX").traits
    assert traits.memory == {(one, other) for one in ("host", "cuda") for other in ("host", "cuda")}


@contextmanager
def workers(tmp_path, roles):
    python_path = os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))
    cores = sorted(os.sched_getaffinity(0))
    specs = [
        WorkerSpec(role, "storage:Storage", os.environ | {"PYTHONPATH": python_path}, cores, tmp_path / f"{role}.log")
        for role in roles
    ]
    with Group(specs) as group:
        yield lambda role, verb, **arguments: group.ask(verb, {role: (verb, arguments)}, 60.0)[role]


@pytest.mark.parametrize("direct", [False, True], ids=["buffered", "direct"])
def test_a_handoff_brings_prefills_bytes_to_decode(tmp_path, direct):
    """Prefill stores, tells decode, decode fetches to other places, and answers; both are processes of their own."""
    if direct:
        direct_or_skip(tmp_path)
    nbytes, path = 16 << 20, str(tmp_path / "between")
    stored = whole_blocks(2048, nbytes, 1)
    fetched = np.column_stack((stored[::-1, 0], stored[:, 1], stored[:, 2]))
    fetched = fetched[stored[::-1, 2] >= stored[:, 2]]  # whatever fits into the slot of another row
    with workers(tmp_path, ("prefill", "decode")) as ask:
        metadata = {}
        for role, create in (("prefill", True), ("decode", False)):
            metadata[role] = ask(
                role, "open", transport="nixl:POSIX", path=path, nbytes=nbytes, direct=direct, create=create
            )
        ask("prefill", "connect", peer="decode", metadata=metadata["decode"])
        ask("decode", "connect", peer="prefill", metadata=metadata["prefill"])
        ask("decode", "fill", memory=4, file=5)
        ask("prefill", "fill", memory=1, file=2)
        ask("prefill", "move", op="STORE", rows=stored.tolist())
        ask("prefill", "notify", peer="decode", tag="stored")
        assert ask("decode", "await_tag") == ["prefill:stored"]
        ask("decode", "move", op="FETCH", rows=fetched.tolist())
        ask("decode", "notify", peer="prefill", tag="fetched")
        assert ask("prefill", "await_tag") == ["decode:fetched"]
        in_file = {"source": 1, "destination": 2, "rows": stored.tolist()}
        assert ask("prefill", "differing", where="file", expected=in_file) == 0
        origin = {place: memory for memory, place, _ in stored.tolist()}
        at_decode = [[origin[place], memory, length] for memory, place, length in fetched.tolist()]
        assert (
            ask("decode", "differing", where="memory", expected={"source": 1, "destination": 4, "rows": at_decode}) == 0
        )
        wires = {ask(role, "close", op=op)["wire"] for role, op in (("prefill", "STORE"), ("decode", "FETCH"))}
    assert wires == {f"posix aio, {'direct' if direct else 'buffered'}"}
