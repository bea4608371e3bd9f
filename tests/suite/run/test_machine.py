"""What goes to disk about the machine: facts, and no secret."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.run import machine
from suite.run.machine import REDACTED, redact, redacted_command, redacted_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORD = "Zx9" * 12  # stands for any secret; real prefixes are joined to it here, so that no scanner takes it for one
URLS = [
    f"redis://user:{WORD}@host:6379/0",
    f"redis://:{WORD}@host",
    f"https://{WORD}@example.org/simple",
    f"postgres://user:{WORD}@x@host/db",
    f"mongodb://u:{WORD}@h1,h2/db",
    f"amqp://a:b@h1,amqp://c:{WORD}@h2",
    f"pip install git+https://x:{WORD}@example.org/a.git",
    f"https://host/x?a=1&token={WORD}&b=2",
    f"https://host/x?X-Amz-Signature={WORD}",
]
TOKENS = [
    *(f"{prefix}{WORD}" for prefix in ("gh" + "p_", "gh" + "s_", "github" + "_pat_", "h" + "f_", "s" + "k-")),
    "xox" + f"b-123-{WORD}",
    "gl" + f"pat-{WORD}",
    "AK" + "IA" + WORD.upper()[:16],
    "AS" + "IA" + WORD.upper()[:16],
    "ey" + f"J{WORD}.{WORD}.{WORD}",
    f"-----BEGIN {'RSA '}PRIVATE KEY-----\n{WORD}\n{WORD}\n-----END {'RSA '}PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE {'KEY'}-----\n{WORD}",
]
HEADERS = [f"Authorization: Bearer {WORD}", f"authorization: bearer {WORD}", f"Authorization: Basic {WORD}"]
ASSIGNED = [
    f"--password={WORD}",
    f"--api-key={WORD}",
    f"HF_TOKEN={WORD}",
    f"AccountName=a;AccountKey={WORD};Suffix=b",
    f'{{"user": "a", "password": "{WORD}"}}',
    f"{{'client_secret': '{WORD}'}}",
    f"secret: {WORD}",
]
INNOCENT = {
    "UCX_TLS": "cma,tcp",
    "UCX_NET_DEVICES": "mlx5_0:1",
    "UCX_RNDV_THRESH": "inter:64k,intra:8k",
    "NIXL_PLUGIN_DIR": "/opt/nixl/lib/plugins",
    "DYN_KVBM_NIXL_BACKEND_UCX": "true",
    "CUFILE_ENV_PATH_JSON": "/etc/cufile.json",
    "TRTLLM_KVCACHE_SEND_MAX_CONCURRENCY_NUM": "4",
    "PATH": "/usr/local/bin:/usr/bin:/run/secrets:/bin",
    "PWD": "/srv/a b",
    "OLDPWD": "/",
    "LANG": "C.UTF-8",
    "ETCD": "http://127.0.0.1:2379",
    "PIP_INDEX_URL": "https://packages.example/simple",
    "CFLAGS": "-O2 -DMAX_TOKENS=4096",
    "LD_BIND_NOW": "1",
    "UCX_BYPASS": "y",
}


def joined(values: dict[str, str] | list[str]) -> str:
    return json.dumps(values)


@pytest.mark.parametrize("value", URLS + TOKENS + HEADERS + ASSIGNED)
def test_no_secret_value_survives_whatever_its_name(value: str) -> None:
    """What looks like a secret is gone from the environment and from the command line, alone and inside a text."""
    for text in (value, f"a {value}", f"{value} z", f'"{value}"'):
        assert WORD[:9].lower() not in joined(redacted_environment({"INNOCENT": text})).lower()
        assert WORD[:9].lower() not in joined(redacted_command(["kvgauge", text])).lower()


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "OPENAI_API_KEY",
        "apikey",
        "PGPASSWORD",
        "MYSQL_PWD",
        "DB_PASS",
        "SSHPASS",
        "KEY_PASSPHRASE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "REDISCLI_AUTH",
        "SESSION_COOKIE",
        "PRIVATE_PEM",
        "SIGNING_KEY",
        "key",
    ],
)
def test_no_variable_that_names_a_secret_keeps_its_value(name: str) -> None:
    """A variable whose name says secret keeps its name and loses its value, whatever that is."""
    assert redacted_environment({name: "x"}) == {name: REDACTED}


@pytest.mark.parametrize("option", ["--password", "--api-key", "--hf-token", "-secret"])
def test_the_word_behind_an_option_that_names_a_secret_goes(option: str) -> None:
    """A secret that is an argument of its own is known by the option before it; the next option is not taken for it."""
    assert redacted_command(["kvgauge", option, WORD, "run"]) == ["kvgauge", option, REDACTED, "run"]
    assert redacted_command([option, "--verbose"]) == [option, "--verbose"]


def test_innocent_variables_survive() -> None:
    """What steers a transfer, and what a reader needs to repeat it, is kept to the letter."""
    assert redacted_environment(INNOCENT) == dict(sorted(INNOCENT.items()))


def test_an_innocent_command_survives() -> None:
    """A command line can be typed again from the manifest."""
    command = [
        "/opt/x/kvgauge",
        "sweep",
        "my spec.toml",
        "--out=runs/a b",
        "--tokens",
        "4096",
        "--tokens=4096",
        "--seed",
        "7",
    ]
    assert redacted_command(command) == command
    assert redacted_command(iter(["kvgauge"])) == ["kvgauge"]
    assert redacted_command([]) == []


def test_the_rest_of_a_text_stays() -> None:
    """Only the secret goes: the host of a URL and the neighbours of a parameter are kept."""
    assert redact(f"redis://user:{WORD}@host:6379/0") == f"redis://{REDACTED}@host:6379/0"
    assert redact(f"https://host/x?token={WORD}&b=2") == f"https://host/x?token={REDACTED}&b=2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/runs", "~/runs"),
        ("/home/me", "~"),
        ("PATH=/home/me/bin:/bin:/home/me", "PATH=~/bin:/bin:~"),
        ("-I/home/me/include", "-I~/include"),
        ("/home/melanie", "/home/melanie"),
        ("/home/me.old", "/home/me.old"),
    ],
)
def test_the_home_folder_is_a_tilde(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    """Who runs it is nobody's business; folders that merely begin like home are another's."""
    monkeypatch.setenv("HOME", "/home/me")
    assert redact(text) == shown


@pytest.mark.parametrize("home", ["/", ""])
def test_a_home_that_is_everywhere_is_not_replaced(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """In a container whose home is the root, paths stay readable."""
    monkeypatch.setenv("HOME", home)
    assert redact("/usr/bin") == "/usr/bin"


def test_values_are_cut_after_they_are_cleaned() -> None:
    """A long value is shortened, and a secret across the cut does not survive as its half."""
    for length in range(3_900, 4_010):
        shown = redact("x" * length + f" redis://user:{WORD}@host")
        assert len(shown) <= 4_000
        assert WORD[:3] not in shown


def test_a_secret_halved_by_the_bound_on_time_does_not_survive() -> None:
    """Where secrets before it shrink the text, one that lies across the last character looked at does not come into sight."""
    before = ("gh" + f"p_{'a' * 900} ") * 8
    for length in range(7_900 - len(before), 8_010 - len(before)):
        assert WORD[:3] not in redact(f"{before}{'x' * length} redis://user:{WORD}@host")


@given(st.text(), st.lists(st.text()))
def test_any_text_can_be_redacted(name: str, texts: list[str]) -> None:
    """No name, value or argument makes the redaction fail, and arguments are neither added nor lost."""
    assert len(redacted_environment(dict.fromkeys([name], "".join(texts)))) == 1
    assert len(redacted_command(texts)) == len(texts)


def test_redaction_of_long_values_is_fast() -> None:
    """Values as long as the kernel allows, made to be hard, take no time to speak of."""
    start = time.perf_counter()
    for piece in (
        "a",
        "://",
        "://a:",
        "token",
        "token-",
        "eyJ-",
        "eyJaaaaaaaa.",
        "bearer ",
        "secret = ",
        "secret\t",
        " ",
    ):
        redact(piece * (131_072 // len(piece)))
    redact("secret" + " " * 131_072)
    assert time.perf_counter() - start < 10


def test_the_machine_is_described_in_scalars() -> None:
    """Every field is a short text or a number and can be stored; a machine has cores, memory and a kernel."""
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert all(type(value) in (str, int) and value != "" for value in told.values())
    assert told["cores"] >= 1  # type: ignore[operator]
    assert told["memory_bytes"] > 1 << 20  # type: ignore[operator]
    assert told["huge_pages"] in {"always", "madvise", "never", "unknown"}
    assert re.match(r"\d+\.\d+", str(told["kernel"]))


def test_a_machine_that_tells_nothing_is_still_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc and /sys are shut, fields say that they are unknown."""
    monkeypatch.setattr(machine, "_read", lambda _path: "")
    told = machine.describe()
    assert (told["huge_pages"], told["cpu_governor"], told["ptrace_scope"]) == ("unknown", "unknown", "no Yama")
    assert told["cpu"]
    assert machine.available_bytes() > 0


def test_versions_are_of_installed_packages_only() -> None:
    """Packages that are there have their version, the others are left out."""
    found = machine.versions()
    assert {"kvgauge", "numpy"} <= set(found) <= set(machine.PACKAGES)
    assert all(found.values())


def test_load_and_memory_are_there() -> None:
    """The load is not negative and some memory can be had, less than there is."""
    assert machine.load_average() >= 0
    assert 0 < machine.available_bytes() <= machine.describe()["memory_bytes"]  # type: ignore[operator]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Let `machine` read made-up files."""

    def pretend(texts: dict[str, str]) -> None:
        monkeypatch.setattr(machine, "_read", lambda path: texts.get(str(path), ""))

    return pretend


@pytest.mark.parametrize(
    ("limit", "used", "free"), [("max", "5", 1000 << 10), ("9000", "2000", 7000), ("999999999", "0", 1000 << 10)]
)
def test_available_memory_is_the_smaller_of_kernel_and_control_group(
    files: Callable[[dict[str, str]], None], limit: str, used: str, free: int
) -> None:
    """A container's limit counts where it is below what the kernel has."""
    files(
        {
            "/proc/meminfo": "MemTotal: 9999 kB\nMemAvailable:    1000 kB\n",
            "/sys/fs/cgroup/memory.max": limit,
            "/sys/fs/cgroup/memory.current": used,
        }
    )
    assert machine.available_bytes() == free


def test_files_that_cannot_be_read_are_empty(tmp_path: Path) -> None:
    """A missing file, a folder and odd bytes are no errors."""
    (tmp_path / "odd").write_bytes(b" \xff\n")
    assert machine._read(tmp_path / "missing") == ""
    assert machine._read(tmp_path) == ""
    assert machine._read(tmp_path / "odd") == "\ufffd"


@pytest.mark.parametrize(
    ("siblings", "allowed", "chosen"),
    [
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, {0, 1, 2, 3}, [0, 1]),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, {0, 1, 2, 3}, [0, 2]),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, {1, 2, 3}, [1, 2]),
        ({0: "0-1", 1: "0-1"}, {0, 1}, [0, 1]),
        ({0: ""}, {0}, [0, 0]),
    ],
)
def test_workers_get_cores_of_their_own(monkeypatch, siblings, allowed, chosen):
    """Two threads of one core would slow each other; they are taken only when no other core is left."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: allowed)
    monkeypatch.setattr(machine, "_read", lambda path: siblings[int(path.parts[-3].removeprefix("cpu"))])
    assert machine.separate_cpus(2) == chosen


@pytest.mark.parametrize(
    ("files", "room"),
    [
        ({"": ("max", "5")}, None),
        ({"": ("1000", "900")}, 100),
        ({"job": ("1000", "900"), "": ("max", "5")}, 100),
        ({"job": ("9000", "900"), "": ("1000", "900")}, 100),
    ],
)
def test_the_tightest_control_group_counts(monkeypatch, files, room):
    """A job of Slurm's or a service of systemd's is limited in its own group, not in the root."""

    def read(path):
        if str(path) == "/proc/self/cgroup":
            return "4:memory:/x\n0::/job"
        if str(path) == "/proc/meminfo":
            return "MemAvailable: 1000000 kB"
        limits = files.get("job" if path.parent.name == "job" else "")
        stat = "inactive_file 0"
        return {"memory.max": limits[0], "memory.current": limits[1], "memory.stat": stat}[path.name] if limits else ""

    monkeypatch.setattr(machine, "_read", read)
    assert machine.available_bytes() == (1_024_000_000 if room is None else room)
