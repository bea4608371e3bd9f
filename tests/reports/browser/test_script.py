"""What the script adds, by mouse and by keyboard."""

from __future__ import annotations

import json
import re

import pytest

from perf.words import NONE

COLUMN = """[...document.querySelectorAll('#points tbody')].map(body =>
    [...body.rows].filter(row => !row.matches('.group, .issues')).map(row => row.cells[%d].textContent.trim()))"""
NO_STORAGE = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied', 'SecurityError') }})"
)
PAPER = "getComputedStyle(document.querySelector('main > section')).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(24, 28, 34)"

pytestmark = pytest.mark.deep


@pytest.fixture
def opened(visit, report):
    with visit(report("measured"), color_scheme="light", permissions=["clipboard-read", "clipboard-write"]) as found:
        yield found
        assert found.complaints == []


@pytest.fixture
def page(opened):
    return opened.page


def groups(page, column):
    """Return the texts of a column, group by group, without the rows that explain another."""
    return page.evaluate(COLUMN % column)


def size(text):
    number, unit = re.search(r"(\d+) ([KM]i)?B", text).groups()
    return int(number) * {None: 1, "Ki": 1 << 10, "Mi": 1 << 20}[unit]


def test_sorting_reorders_within_each_group_up_down_and_back(page):
    header = page.locator("#points thead th", has_text="Throughput")
    before = groups(page, 3)
    headings = page.locator("#points .group").all_inner_texts()
    rates = [[float(text.split()[0]) for text in group] for group in before]
    assert any(group != sorted(group) for group in rates)
    assert header.get_attribute("aria-sort") is None
    for order, reverse in (("ascending", False), ("descending", True)):
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == order
        shown = [[float(text.split()[0]) for text in group] for group in groups(page, 3)]
        assert shown == [sorted(group, reverse=reverse) for group in rates]
        assert order in page.locator("p[role=status]").inner_text()
    assert page.locator("#points .group").all_inner_texts() == headings
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") is None
    assert groups(page, 3) == before


def test_sizes_are_sorted_as_sizes_and_one_column_at_a_time(page):
    """By their text 4 MiB would come before 8 KiB."""
    page.locator("#points th button", has_text="Latency").click()
    page.locator("#points th button", has_text="Descriptor").click()
    assert page.locator("#points [aria-sort]").count() == 1
    rows = [group for group in groups(page, 0) if group]
    assert all([size(text) for text in group] == sorted(size(text) for text in group) for group in rows)


def test_what_has_no_number_is_last_both_ways(page):
    """`copy` has no share of itself."""
    button = page.locator("#points th button", has_text="copy")
    for _ in range(2):
        button.click()
        for group in groups(page, 5):
            blanks = [text == NONE for text in group]
            assert blanks == sorted(blanks)


def test_a_doubt_stays_with_its_point(page):
    """The rows of doubts belong to `ucx`, in every order."""
    for name in ("Throughput", "Latency", "Transport", "Descriptor"):
        page.locator("#points th button", has_text=name).click()
        owners = page.evaluate(
            "[...document.querySelectorAll('#points .issues')].map(row => row.previousElementSibling.cells[1].textContent.trim())"
        )
        assert owners
        assert set(owners) == {"ucx"}


def test_the_halves_of_a_handoff_stay_with_it(page):
    table = page.locator("#storage table").first
    before = table.locator("tbody tr").all_inner_texts()
    table.locator("th button", has_text="Throughput").click()
    table.locator("th button", has_text="Throughput").click()
    assert table.locator("tbody tr").all_inner_texts() != before
    owners = table.evaluate("""table => [...table.querySelectorAll('.half')].map(row => {
        while (row.matches('.half')) row = row.previousElementSibling;
        return row.cells[0].textContent;
    })""")
    assert owners
    assert all("handoff" in owner for owner in owners)


def test_filtering_hides_what_does_not_match_and_counts_what_does(page):
    field = page.get_by_label("Only points with all of these words")
    shown = page.locator("#points tbody tr:not(.group):not(.issues)")
    total = shown.count()
    field.fill("pull  MOONCAKE")
    visible = [row for row in shown.all() if row.is_visible()]
    assert len(visible) == 3
    assert all("mooncake" in row.inner_text() for row in visible)
    assert [row.inner_text().lower() for row in page.locator("#points .group").all() if row.is_visible()] == [
        "pull, a-model"
    ]
    counted = page.locator("#points output")
    assert counted.get_attribute("aria-live") == "polite"
    assert counted.inner_text() == f"3 of {total} points shown"
    field.fill("vary by 31")
    assert {row.locator("td").first.inner_text() for row in shown.all() if row.is_visible()} == {"ucx"}
    field.fill("no such point")
    assert counted.inner_text() == f"0 of {total} points shown"
    field.fill("")
    assert all(row.is_visible() for row in shown.all())
    assert counted.inner_text() == ""


def test_runs_side_by_side_are_sorted_by_the_throughput_of_one(visit, report):
    """A cell says more than its rate; the rate is what counts."""
    with visit(report("comparison")) as opened:
        table = opened.page.locator("#points table.beside").first
        table.locator("thead button", has_text="tuesday").click()
        rates = table.evaluate("""table => [...table.tBodies].map(body =>
            [...body.rows].slice(1).map(row => parseFloat(row.cells[2].querySelector(".big").textContent)))""")
        assert max(map(len, rates)) > 4
        assert all(group == sorted(group) for group in rates)
        opened.page.locator("#points input").first.fill("push mooncake")
        assert opened.page.locator("#points output").first.inner_text() == "3 of 24 points shown"


def test_a_theme_changes_colours_and_is_remembered(page):
    assert page.evaluate(PAPER) == LIGHT
    dark = page.get_by_role("button", name="Dark")
    dark.click()
    assert page.evaluate(PAPER) == DARK
    assert dark.get_attribute("aria-pressed") == "true"
    page.reload()
    assert page.evaluate(PAPER) == DARK
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="System").click()
    assert page.evaluate(PAPER) == LIGHT
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(PAPER) == DARK
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(PAPER) == LIGHT


def test_a_theme_works_where_nothing_can_be_remembered(browser, report):
    """As in a private window or under a policy that blocks storage."""
    context = browser.new_context(color_scheme="light")
    context.add_init_script(NO_STORAGE)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report("emulated").as_uri())
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(PAPER) == DARK
    assert errors == []
    context.close()


def test_a_stored_word_that_is_no_theme_is_ignored(page):
    page.evaluate("localStorage.setItem('kvgauge-theme', '\"><b>')")
    page.reload()
    assert page.get_by_role("button", name="System").get_attribute("aria-pressed") == "true"
    assert page.evaluate(PAPER) == LIGHT


def test_copying_puts_the_command_on_the_clipboard(page):
    page.locator("#reproduce .copyable button").click()
    page.wait_for_function("document.querySelector('p[role=status]').textContent.includes('clipboard')")
    assert page.evaluate("navigator.clipboard.readText()") == "kvgauge run --out 'runs/a b'"


def test_without_a_clipboard_the_command_is_selected(page):
    page.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(new Error('denied')); document.execCommand = () => false"
    )
    button = page.locator("#reproduce .copyable button")
    button.click()
    button.get_by_text("Press Ctrl+C").wait_for()
    assert page.evaluate("getSelection().toString()").strip() == "kvgauge run --out 'runs/a b'"


def test_the_data_of_a_page_without_links_to_files_can_be_downloaded(visit, report):
    with visit(report("comparison")) as found:
        with found.page.expect_download() as waiting:
            found.page.get_by_role("button", name="Download summary (JSON)").click()
        assert waiting.value.suggested_filename.endswith("-summary.json")
        data = json.loads(waiting.value.path().read_bytes())
        assert len(data["runs"]) > 1
        assert [url for url in found.requests if not url.startswith(("file:", "blob:"))] == []


def test_a_page_with_links_to_its_files_needs_no_button_for_that(page):
    assert page.locator("a[download]").count() >= 2
    assert page.get_by_role("button", name="Download").count() == 0


def test_every_control_can_be_reached_and_used_by_keyboard(page):
    """Tab alone, from the top to the bottom; what has the focus is outlined."""
    seen = []
    while True:
        page.keyboard.press("Tab")
        kind, name, outline = page.evaluate("""() => {
            const one = document.activeElement, style = getComputedStyle(one);
            const kind = one.matches(".skip") ? "skip" : one.closest("nav") ? "nav" : one.closest(".themes") ? "theme"
                : one.matches(".sort") ? "sort" : one.matches("input") ? "filter" : one.matches("summary") ? "details"
                : one.closest(".copyable") ? "copy" : one.matches("a[download]") ? "download" : one.tagName;
            return [kind, one.textContent.trim(), style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)];
        }""")
        if kind == "BODY":
            break
        assert outline >= 2, (kind, name)
        seen.append(kind)
        assert len(seen) < 400
        if kind == "sort" and name == "Throughput, GB/s" and page.locator("#points :focus").count():
            page.keyboard.press("Enter")
            assert page.locator("#points [aria-sort=ascending]").inner_text().strip() == name
        if kind == "theme" and name == "Dark":
            page.keyboard.press("Space")
            assert page.evaluate(PAPER) == DARK
        if kind == "filter":
            page.keyboard.type("push")
            assert "points shown" in page.locator("#points output").inner_text()
        if kind == "details" and seen.count("details") == 1:
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.parentElement.open")
    order = list(dict.fromkeys(seen))
    assert order[0] == "skip"
    assert set(order) >= {"skip", "theme", "nav", "filter", "sort", "details", "copy", "download"}


def test_the_skip_link_skips(page):
    page.keyboard.press("Tab")
    assert page.locator(".skip").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!document.activeElement.closest('nav, header')")
