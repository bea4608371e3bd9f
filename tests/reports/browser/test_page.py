"""The page itself: whole without scripts, alone without a network, and drawn everywhere."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageStat

KINDS = ("measured", "emulated", "conformance", "comparison", "transfer")
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
LEAST_COLOURS = 30  # a blank or broken page has a handful

pytestmark = pytest.mark.deep


def picture(page):
    """Return the upper part of the page, many screens of it, in CSS pixels."""
    tall = min(5000, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": tall}
    return Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip, scale="css"))).convert("RGB")


def is_drawn(image):
    """Text and figures: many colours, and no single one nearly everywhere."""
    counted = image.getcolors(maxcolors=1 << 24)
    return len(counted) > LEAST_COLOURS and max(count for count, _ in counted) < 0.99 * image.width * image.height


@pytest.mark.parametrize("kind", KINDS)
def test_it_asks_for_nothing_and_complains_of_nothing(visit, report, kind):
    """Neither at first nor when all is unfolded; a violated policy would be said on the console."""
    path = report(kind)
    with visit(path) as opened:
        opened.page.evaluate(UNFOLD)
        assert opened.requests == [path.as_uri()]
        assert opened.complaints == []


@pytest.mark.parametrize("intruder", ["<script>document.title = 'run'</script>", "<img src='x' onerror=\"document.title = 'run'\">",
                                      "<script src='other.js'></script>", "<link rel=stylesheet href='other.css'>"])  # fmt: skip
def test_the_policy_stops_what_is_not_ours(visit, report, intruder):
    """Should markup of a stranger ever get in, it neither runs nor is asked for."""
    path = report("conformance")
    path.with_name("other.js").write_text("document.title = 'run'", encoding="utf-8")
    path.with_name("other.css").write_text("html { display: none }", encoding="utf-8")
    path.write_text(path.read_text("utf-8").replace("</footer>", f"{intruder}</footer>"), encoding="utf-8")
    with visit(path) as opened:
        assert opened.page.title() == "KV-cache transfer: monday"
        assert opened.page.locator("h1").is_visible()
        assert "Content Security Policy" in " ".join(opened.complaints)
        assert opened.page.locator(".themes button").count() == 3, "our own script is allowed"


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_whole_and_has_nothing_dead_without_scripts(visit, report, kind):
    with visit(report(kind), java_script_enabled=False) as opened:
        page = opened.page
        assert page.locator(".verdict").is_visible()
        assert page.locator("button, input, select, output").count() == 0
        sections = page.locator("main > section")
        assert sections.count() >= 5
        assert all(len(sections.nth(number).inner_text()) > 40 for number in range(sections.count()))
        folded = page.locator("summary").first
        inside = page.locator("details > :not(summary)").first
        assert not inside.is_visible()
        folded.click()
        assert inside.is_visible()
        if kind == "measured":
            assert page.locator("figure svg[role=img]").first.is_visible()
            for section in ("answer-faster", "set", "ratio", "costs", "fit", "recompute", "devices", "storage"):
                assert page.locator(f"#{section}").count() == 1
            assert page.locator("#points tbody tr").count() > 24


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
def test_wide_tables_scroll_in_their_own_box_and_not_the_page(visit, report, kind, options):
    with visit(report(kind), **options) as opened:
        opened.page.evaluate(UNFOLD)
        width, window = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= window == options.get("viewport", {"width": 1200})["width"]


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_picture_in_light_dark_and_on_a_phone(visit, report, kind):
    path = report(kind)
    light, dark, phone = {"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE
    brightness = []
    for options in (light, dark, phone):
        with visit(path, **options) as opened:
            image = picture(opened.page)
        assert is_drawn(image)
        brightness.append(ImageStat.Stat(image.convert("L")).mean[0])
    assert brightness[0] > 200
    assert brightness[1] < 80


@pytest.mark.parametrize("kind", KINDS)
def test_print_is_light_unfolded_and_without_controls(visit, report, kind):
    """Also for a reader who chose the dark theme."""
    with visit(report(kind), color_scheme="dark") as opened:
        page = opened.page
        page.click("text=Dark")
        page.emulate_media(media="print")
        image = picture(page)
        assert is_drawn(image)
        assert ImageStat.Stat(image.convert("L")).mean[0] > 200
        assert not [one for one in page.locator("nav, button:not(.sort), input").all() if one.is_visible()]
        folded = page.locator("details > :not(summary)").all()
        assert folded
        assert all(one.bounding_box()["height"] > 0 for one in folded)
        if kind == "measured":
            assert page.pdf().startswith(b"%PDF")


def test_forced_colours_keep_lines_and_buttons(visit, report):
    """The reader's own palette: every line of a figure has its text colour."""
    with visit(report("measured"), forced_colors="active", color_scheme="dark") as opened:
        page = opened.page
        assert is_drawn(picture(page))
        colours = page.evaluate(
            """() => [...document.querySelectorAll("#throughput .key")].map(key => getComputedStyle(key).stroke)"""
        )
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert set(colours) == {ink}


@pytest.mark.parametrize("deficiency", ["deuteranopia", "protanopia", "achromatopsia"])
def test_colour_is_never_alone(visit, report, deficiency):
    """Each line of a figure has a shape of its own, and pictures for these readers can be drawn."""
    with visit(report("measured")) as opened:
        page = opened.page
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
        figure = page.locator("#throughput figure").first
        assert (
            len(Image.open(io.BytesIO(figure.screenshot())).convert("RGB").getcolors(maxcolors=1 << 24)) > LEAST_COLOURS
        )
        shapes = figure.locator(".legend use").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert len(shapes) == len(set(shapes)) == 4
