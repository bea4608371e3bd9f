"""Content that knows its place: against a simulation that really copies bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv import stamp
from suite.kv.stamp import Identity, Side

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS = st.integers(0, (1 << 20) - 1)
POSITIONS = st.integers(0, (1 << 39) - 1)
SIDES = st.sampled_from(Side)
WORDS = 3 * stamp._CHUNK + 5


def word_of(raw: int) -> int:
    return int(stamp.consecutive(raw, 1)[0])


def filled(content: stamp.Content) -> Any:
    words = np.empty(content.words, np.uint64)
    stamp.fill(words, content)
    return words


@given(EPOCHS, SIDES, POSITIONS)
def test_a_word_says_who_wrote_it(epoch: int, side: Side, position: int) -> None:
    """Decoding a word gives the epoch, side and position that it was made of."""
    assert stamp.decode(word_of(stamp.identity(epoch, side, position))) == Identity(epoch, side, position)


@given(st.integers(0, (1 << 64) - 1))
def test_any_word_can_be_decoded(word: int) -> None:
    """Words that nobody wrote decode to something, too: fields that are possible or nonsense, never an error."""
    found = stamp.decode(word)
    assert 0 <= found.epoch < 1 << 20
    assert 0 <= found.side < 1 << 4
    assert 0 <= found.position < 1 << 40


@given(SIDES, EPOCHS, st.integers(0, 50))
def test_every_word_of_a_fresh_region_knows_its_place(side: Side, epoch: int, words: int) -> None:
    """A region in which nothing moved holds the words of its side and epoch, in order."""
    region = filled(stamp.uniform(words, side, epoch))
    assert [stamp.decode(word) for word in region.tolist()] == [Identity(epoch, side, n) for n in range(words)]


@given(SIDES, EPOCHS, st.integers(0, (1 << 39) - 2))
def test_neighbouring_words_share_no_byte(side: Side, epoch: int, position: int) -> None:
    """A word written over its neighbour shows in every byte of it."""
    pair = stamp.consecutive(stamp.identity(epoch, side, position), 2).view(np.uint8).reshape(2, 8)
    assert (pair[0] != pair[1]).all()


@given(EPOCHS, EPOCHS, SIDES, SIDES, POSITIONS)
def test_a_byte_that_did_not_arrive_shows(epoch: int, gap: int, side: Side, other: Side, position: int) -> None:
    """At one place no byte is the same on both sides or in epochs near each other, so each byte must be moved."""
    near = min(epoch + gap % 11, (1 << 20) - 1)
    if (epoch, side) == (near, other):
        return
    raw = [stamp.identity(epoch, side, position), stamp.identity(near, other, position)]
    one, two = (stamp.consecutive(first, 40).view(np.uint8) for first in raw)
    assert (one != two).all()


@given(st.data(), EPOCHS)
def test_what_is_expected_is_what_copying_leaves(
    windows: st.SearchStrategy[Any], data: st.DataObject, epoch: int
) -> None:
    """For any rows in any order, `landed` is the content that copying the bytes row by row leaves behind."""
    window = data.draw(windows)
    assert np.array_equal(filled(window.content(epoch)), window.copied(epoch))
    assert stamp.first_difference(window.copied(epoch), window.content(epoch)) is None
    assert not stamp.differences(window.copied(epoch), window.content(epoch)).any()


@given(st.data())
def test_content_covers_the_region_and_marks_what_moved(windows: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Runs follow one another without a gap, none is empty, and those that moved are the rows' destinations."""
    window = data.draw(windows)
    content = window.content(1)
    sizes = np.diff(content.starts)
    assert (content.starts[0], content.words, len(content)) == (0, window.words, len(sizes))
    assert (sizes > 0).all()
    addressed = np.zeros(window.words, np.bool_)
    for plan in window.plans:
        for address, length, _ in plan.destination.tolist():
            addressed[(address - window.destination) // 8 :][: length // 8] = True
    assert np.array_equal(np.repeat(content.moved, sizes), addressed)


@given(st.data(), EPOCHS)
def test_any_flipped_bit_is_found(windows: st.SearchStrategy[Any], data: st.DataObject, epoch: int) -> None:
    """One bit anywhere in the region, moved or not, makes a difference, found at its word and nowhere else."""
    window = data.draw(windows)
    words = window.copied(epoch)
    at = data.draw(st.integers(0, window.words - 1))
    words[at] ^= np.uint64(1 << data.draw(st.integers(0, 63)))
    assert stamp.first_difference(words, window.content(epoch)) == at
    assert np.flatnonzero(stamp.differences(words, window.content(epoch))).tolist() == [at]


@given(st.data(), EPOCHS)
def test_the_first_of_many_differences_is_told(
    windows: st.SearchStrategy[Any], data: st.DataObject, epoch: int
) -> None:
    """Whatever a region holds, the words that differ are those that a plain comparison finds."""
    window = data.draw(windows)
    words = window.copied(epoch)
    at = data.draw(st.lists(st.integers(0, window.words - 1)))
    words[at] = data.draw(st.integers(0, (1 << 64) - 1))
    wrong = np.flatnonzero(words != window.copied(epoch)).tolist()
    assert stamp.first_difference(words, window.content(epoch)) == (wrong[0] if wrong else None)
    assert np.flatnonzero(stamp.differences(words, window.content(epoch))).tolist() == wrong


@pytest.mark.parametrize("at", [0, 1, stamp._CHUNK - 1, stamp._CHUNK, 2 * stamp._CHUNK + 7, WORDS - 2, WORDS - 1])
def test_large_regions_are_checked_to_their_ends(make_window: Callable[..., Any], at: int) -> None:
    """In a region larger than a piece of the check, a bit in either guard band or at the seams is found."""
    window = make_window(WORDS, (9, 1, stamp._CHUNK), (stamp._CHUNK * 2, stamp._CHUNK + 1, stamp._CHUNK + 2))
    words = window.copied(3)
    assert stamp.first_difference(words, window.content(3)) is None
    words[at] ^= np.uint64(1 << 63)
    assert stamp.first_difference(words, window.content(3)) == at


@given(EPOCHS, EPOCHS, SIDES, SIDES, st.integers(1, 200))
def test_two_epochs_agree_in_no_word(one: int, other: int, side: Side, other_side: Side, words: int) -> None:
    """Contents of different epochs, or of the two sides, have no word in common, at any place."""
    same = (one, side) == (other, other_side)
    pair = [filled(stamp.uniform(words, *which)).tolist() for which in ((side, one), (other_side, other))]
    assert len({*pair[0], *pair[1]}) == (words if same else 2 * words)


@given(st.data(), EPOCHS, EPOCHS)
def test_a_window_that_did_not_happen_differs_in_every_word(
    windows: st.SearchStrategy[Any], data: st.DataObject, one: int, other: int
) -> None:
    """What an earlier window left has not one word of what the next must leave."""
    window = data.draw(windows)
    wrong = stamp.differences(window.copied(one), window.content(other))
    assert wrong.all() == wrong.any() == (one != other)


def test_rows_that_write_the_same_byte_are_refused(make_window: Callable[..., Any]) -> None:
    """Two rows with a common destination word could hide each other, in one plan or in two."""
    overlapping = make_window(20, (0, 4, 4), (9, 7, 2))
    twice = [*make_window(20, (0, 4, 4)).plans] * 2
    for plans in (overlapping.plans, twice):
        with pytest.raises(BadInput, match="same destination bytes") as caught:
            stamp.landed(plans, words=20, source=overlapping.source, destination=overlapping.destination, epoch=1)
        assert caught.value.code == "overlap"
    assert make_window(20, (0, 4, 4), (9, 8, 2)).content(1).words == 20


@pytest.mark.parametrize("row", [(0, -1, 2), (0, 19, 2), (0, 20, 1), (0, 0, 21)])
def test_rows_that_write_outside_the_region_are_refused(
    make_window: Callable[..., Any], row: tuple[int, int, int]
) -> None:
    """A row that starts before the region, or ends behind it, is refused."""
    with pytest.raises(BadInput, match="outside its region") as caught:
        make_window(20, row).content(1)
    assert caught.value.code == "outside"


@pytest.mark.parametrize("off", [(4, 0, 0), (0, 4, 0), (0, 0, 4), (1, 1, 0)])
def test_rows_that_split_words_are_refused(
    make_window: Callable[..., Any], plan_of: Callable[..., Any], off: tuple[int, int, int]
) -> None:
    """Content is words, so an origin, a destination or a length inside one cannot be checked."""
    window = make_window(20)
    plan = plan_of([(window.source + off[0], window.destination + off[1], 16 + off[2])])
    with pytest.raises(BadInput, match="multiples of 8 bytes") as caught:
        stamp.landed([plan], words=20, source=window.source, destination=window.destination, epoch=1)
    assert caught.value.code == "unaligned"


def test_a_plan_without_rows_leaves_the_paint(make_window: Callable[..., Any]) -> None:
    """Where nothing was to be moved, everything must be untouched."""
    window = make_window(20)
    assert np.array_equal(filled(window.content(5)), filled(stamp.uniform(20, Side.DECODE, 5)))


@given(st.data(), EPOCHS)
def test_a_slice_holds_what_the_region_holds_there(
    windows: st.SearchStrategy[Any], data: st.DataObject, epoch: int
) -> None:
    """Any part of a content, empty or whole, is those words, and knows which of them moved."""
    content = data.draw(windows).content(epoch)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, content.words)] * 2)))
    part = stamp.sliced(content, start, stop)
    assert np.array_equal(filled(part), filled(content)[start:stop])
    moved = [np.repeat(one.moved, np.diff(one.starts)) for one in (part, content)]
    assert np.array_equal(moved[0], moved[1][start:stop])


def test_a_slice_leaves_the_content_alone() -> None:
    """What is sliced is checked again in the next window."""
    content = stamp.uniform(20, Side.PREFILL, 1)
    before = content.identities.copy()
    stamp.sliced(content, 7, 20)
    assert np.array_equal(content.identities, before)
