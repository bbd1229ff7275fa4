"""The report in a real browser: no error, and everything that can be moved moves."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from tests.bench.samples import HOSTILE, sample_pictures, sample_results
from wavenetmv.bench.report import comparison_pictures, write_report

pytest.importorskip("matplotlib", reason="matplotlib (extra bench) is missing")
pytest.importorskip("jinja2", reason="jinja2 (extra bench) is missing")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright (extra dev) is missing")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")


@pytest.fixture(scope="module")
def url(tmp_path_factory, photographs):
    folder = tmp_path_factory.mktemp("run")
    results = sample_results(photographs, folder)
    pictures = comparison_pictures(results, folder, sample_pictures(photographs).__getitem__)
    return write_report(results, folder, pictures).as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def page(browser, url):
    """The opened report; the test fails if the console showed an error."""
    problems: list[str] = []
    opened = browser.new_page(viewport={"width": 1000, "height": 800})
    opened.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: _check_request(request.url, url, problems))
    opened.goto(url)
    yield opened
    opened.close()
    assert problems == []


def _check_request(requested: str, url: str, problems: list[str]) -> None:
    if requested != url and not requested.startswith("data:"):
        problems.append(f"asked for {requested}")


def clip(page, side: str) -> str:
    return page.evaluate(f"getComputedStyle(document.getElementById('layer-{side}')).clipPath")


def column(page, table: str, place: int) -> list[str]:
    return page.locator(f"#{table} tbody tr > :nth-child({place})").all_inner_texts()


def test_page_is_drawn_without_errors(page, tmp_path):
    assert page.locator("h1").inner_text() == "Codecs compared"
    assert page.locator("figure svg").count() == 6
    assert page.locator("#picture option").first.inner_text() == HOSTILE
    loaded = page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert loaded
    shot = page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert len(shot) > 50_000


def test_sliders_move_the_cuts_by_keyboard(page):
    assert clip(page, "a") == "inset(0px 0px 0px 33%)"
    assert clip(page, "b") == "inset(0px 0px 0px 67%)"
    page.locator("#slider-a").focus()
    page.keyboard.press("ArrowRight")
    assert clip(page, "a") == "inset(0px 0px 0px 33.5%)"
    page.keyboard.press("End")  # pushes the other divider along
    assert clip(page, "a") == clip(page, "b") == "inset(0px 0px 0px 100%)"


def test_dividers_follow_the_mouse(page):
    stage = page.locator("#stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    at = {"x": box["x"] + 0.67 * box["width"], "y": box["y"] + box["height"] / 2}
    page.mouse.move(**at)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], at["y"], steps=3)
    page.mouse.up()
    assert float(page.locator("#slider-b").input_value()) == pytest.approx(90, abs=1)
    assert clip(page, "a") == "inset(0px 0px 0px 33%)"


def test_choices_change_what_is_shown(page):
    caption, picture = page.locator("#caption-a"), page.locator("#layer-a img")
    assert "wmv" in caption.inner_text()
    before = picture.get_attribute("src")
    page.locator("#codec-a").select_option("webp")
    assert "WebP for $5" in caption.inner_text()
    page.locator("#rate").select_option(index=page.locator("#rate option").count() - 1)
    assert page.locator("#caption-b").inner_text().count("the chosen rate") == 1
    page.locator("#picture").select_option("1")
    assert picture.get_attribute("src") != before
    assert "coffee.png" in page.locator("#caption-original").inner_text()
    page.locator("#zoom").select_option("2")
    assert page.locator("#stage").bounding_box()["width"] == 2 * 192


def test_detections_can_be_chosen_and_hidden(page):
    labels = page.locator("#layer-a .box span")
    assert labels.count() == 1
    assert labels.inner_text().startswith("<cat> 0.")
    page.locator("#boxes").select_option("latents")
    assert labels.inner_text() == "<cat> 0.45"
    page.locator("#score").select_option("0.8")
    assert labels.count() == 0
    page.locator("#boxes").select_option("")
    assert page.locator(".box").count() == 0


def test_tables_sort_by_number_and_back_by_keyboard(page):
    title = page.locator("#points thead th", has_text="PSNR (dB)")
    place = 1 + page.locator("#points thead th").all_inner_texts().index("PSNR (dB)")
    title.locator("button").focus()
    page.keyboard.press("Enter")
    assert title.get_attribute("aria-sort") == "ascending"
    shown = column(page, "points", place)
    numbers = [float(text) for text in shown if text != "\N{EN DASH}"]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 3
    page.keyboard.press("Enter")
    assert title.get_attribute("aria-sort") == "descending"
    shown = column(page, "points", place)
    assert [float(text) for text in shown[:9]] == numbers[::-1]
    assert shown[9:] == ["\N{EN DASH}"] * 3  # what was not measured comes last, either way


def test_tables_sort_by_text(page):
    page.locator("#points thead th button").first.click()
    names = column(page, "points", 1)
    assert names[0].startswith("JPEG")
    assert names[-1] == "wmv by latents"


def test_injected_scripts_are_refused(browser, url, tmp_path):
    """The page's policy would stop a script even if some text were not escaped."""
    text = Path(url2pathname(urlparse(url).path)).read_text(encoding="utf-8")
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("<h1", "<script>document.title='owned'</script><h1", 1))
    opened = browser.new_page()
    opened.goto(bad.as_uri())
    assert opened.title().startswith("wmv bench")
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_and_schemes(browser, url, scheme):
    opened = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme=scheme)
    opened.goto(url)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    red, *_ = opened.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (red > 200) == (scheme == "light")
    opened.close()
