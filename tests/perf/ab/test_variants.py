"""What --ab accepts, and what it says of what it does not."""

from __future__ import annotations

import pytest

from perf.ab.restored import asked_for, is_ab, restored
from perf.ab.variants import parse, parse_both
from suite.errors import BadInput


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("UCX_TLS=tcp", {"UCX_TLS": "tcp"}),
        ("UCX_TLS=cma,sm,self", {"UCX_TLS": "cma,sm,self"}),
        ("UCX_RNDV_THRESH=64k,UCX_MAX_RNDV_RAILS=1", {"UCX_RNDV_THRESH": "64k", "UCX_MAX_RNDV_RAILS": "1"}),
        ("UCX_TLS=cma,self, UCX_RNDV_THRESH=inter:64k,intra:8k", {"UCX_TLS": "cma,self", "UCX_RNDV_THRESH": "inter:64k,intra:8k"}),
        ("UCX_TLS=cma,self MALLOC_ARENA_MAX=1", {"UCX_TLS": "cma,self", "MALLOC_ARENA_MAX": "1"}),
        ("UCX_NET_DEVICES=", {"UCX_NET_DEVICES": ""}),
        ("default", {}),
        (" ", {}),
    ],
)  # fmt: skip
def test_a_comma_is_part_of_a_value_unless_a_name_follows_it(text, variables):
    assert parse("A", text).variables == variables


def test_environments_and_commands_are_named_by_a_word_and_split_without_a_shell():
    assert parse("B", "venv:../other").venv == "../other"
    command = parse("B", "command:./bench -s '64 K' \"$HOME\" | tee x").command
    assert command == ("./bench", "-s", "64 K", "$HOME", "|", "tee", "x")


def test_lower_case_names_are_settings_of_a_point():
    found = parse("B", "io=buffered,UCX_TLS=tcp,self")
    assert (found.settings, found.variables) == ({"io": "buffered"}, {"UCX_TLS": "tcp,self"})
    assert found.label == "UCX_TLS=tcp,self, io=buffered"


def test_a_reader_is_told_what_a_side_is():
    assert parse("A", "default").label == "as the spec says"
    assert parse("A", "UCX_TLS=tcp,self").label == "UCX_TLS=tcp,self"
    assert parse("A", "venv:other").label == "venv:other"
    assert "hunter2" not in parse("A", "NIXL_API_KEY=hunter2").label


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tcp", "'tcp' is no NAME=VALUE", "UCX_TLS=tcp,self"),
        ("Ucx_Tls=tcp", "'Ucx_Tls' is neither variable nor setting", "upper case"),
        ("=tcp", "'' is neither variable nor setting", "upper case"),
        ("UCX_TLS=tcp,UCX_TLS=cma", "UCX_TLS is set twice", "once"),
        ("PYTHONPATH=/elsewhere", "PYTHONPATH cannot differ", "venv:PATH"),
        ("DYN_KVBM_NIXL_BACKEND_UCX=true", "cannot differ", "spec"),
        ("venv:", "names no folder", "venv:PATH"),
        ("command:", "names no program", "command:PROGRAM"),
        ("command:a 'b", "No closing quotation", "quote"),
        ("x" * 30_000, "too long", "accepted"),
        ("UCX_TLS=a\0b", "NUL", "accepted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_side_and_what_is_accepted(text, message, hint):
    with pytest.raises(BadInput) as error:
        parse("B", text)
    assert "--ab, B" in error.value.message
    assert message in error.value.message
    assert hint in error.value.hint


def test_a_command_is_only_compared_with_a_command():
    with pytest.raises(BadInput, match="only be compared with a command"):
        parse_both(("command:true", "UCX_TLS=tcp"))
    assert [one.name for one in parse_both(("default", "default"))] == ["A", "B"]


def settings(a, b):
    return {"ab": {"A": {"given": a}, "B": {"given": b}}}


def test_a_run_that_goes_on_has_the_variants_that_its_manifest_names():
    found = restored(settings("default", "UCX_TLS=tcp,self"), "m")
    assert [one.variables for one in found] == [{}, {"UCX_TLS": "tcp,self"}]
    assert restored({}, "m") == ()
    assert not is_ab({})


@pytest.mark.parametrize("text", ["command:rm -rf x", "venv:evil", "LD_PRELOAD=evil.so", "PATH=evil"])
def test_a_run_folder_from_anywhere_starts_no_program(text):
    with pytest.raises(BadInput, match="say again") as error:
        restored(settings("default", text), "m")
    assert f"--ab 'default' '{text}'" in error.value.hint


def test_what_is_said_again_must_be_the_same():
    again = parse_both(("default", "LD_PRELOAD=own.so"))
    assert restored(settings("default", "LD_PRELOAD=own.so"), "m", again) == again
    with pytest.raises(BadInput, match=r"that run was --ab 'default' 'LD_PRELOAD=other\.so'"):
        restored(settings("default", "LD_PRELOAD=other.so"), "m", again)
    with pytest.raises(BadInput, match="no A and B"):
        restored({}, "m", again)


@pytest.mark.parametrize("found", [7, {"A": 7}, {"A": {"given": "default"}}, {"A": {"given": 1}, "B": {"given": 2}}])
def test_a_manifest_that_does_not_say_what_a_and_b_are_is_refused(found):
    assert len(asked_for({"ab": found})) < 2
    with pytest.raises(BadInput, match="does not say"):
        restored({"ab": found}, "m")
