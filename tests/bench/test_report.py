"""The report holds the numbers of the results, loads nothing, and trusts no text."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.bench.samples import HOSTILE, QUALITIES, sample_pictures, sample_results
from wavenetmv.bench.report import (
    ComparisonPicture,
    Version,
    comparison_pictures,
    matched_rows,
    rate_targets,
    write_report,
)
from wavenetmv.bench.report.embedding import embed
from wavenetmv.bench.results import Results, Row, save
from wavenetmv.bench.wording import MISSING
from wavenetmv.errors import InputError

pytest.importorskip("matplotlib", reason="matplotlib (extra bench) is missing")
pytest.importorskip("jinja2", reason="jinja2 (extra bench) is missing")


class Page(HTMLParser):
    """Tables by id as lists of (text, data-value), attributes, scripts and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[tuple[str, str | None]]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.text: list[str] = []
        self._table: list[list[tuple[str, str | None]]] | None = None
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self._table = self.tables[values["id"]] = []
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table is not None:
            self._table[-1].append(("", values.get("data-value")))
        elif tag == "script":
            self.scripts.append((values.get("type"), ""))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass
        if tag == "table":
            self._table = None

    def handle_data(self, data):
        if "script" in self._inside:
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)
        elif self._table and {"td", "th"} & set(self._inside):
            text, value = self._table[-1][-1]
            self._table[-1][-1] = (text + data, value)
        else:
            self.text.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory, photographs):
    folder = tmp_path_factory.mktemp("run")
    results = sample_results(photographs, folder)
    save(results, folder)
    pictures = comparison_pictures(results, folder, sample_pictures(photographs).__getitem__)
    path = write_report(results, folder, pictures)
    text = path.read_text(encoding="utf-8")
    return results, folder, pictures, text, Page(text)


def test_points_equal_results_csv(run):
    _, folder, _, _, page = run
    with (folder / "results.csv").open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    header, *shown = page.tables["points"]
    columns = {"bpp": "bpp", "psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM", "map": "mAP@[.5:.95]",
               "relative_map": "mAP / mAP(original)", "encode_s": "encode", "decode_s": "decode",
               "pictures": "pictures"}  # fmt: skip
    titles = [text for text, _ in header]
    assert len(shown) == len(rows) == 12
    for cells, row in zip(shown, rows, strict=True):
        for name, title in columns.items():
            text, value = cells[titles.index(title)]
            assert value == (row[name] or None), (name, row)
            assert text != MISSING if row[name] else text == MISSING
        assert cells[titles.index("setting")][0] == row["setting"]
    assert "top-1 agreement" not in titles  # nothing was measured


def test_shown_numbers_are_the_rounded_ones(run):
    results, *_, page = run
    header, *shown = page.tables["points"]
    titles = [text for text, _ in header]
    for cells, point in zip(shown, results.points, strict=True):
        assert cells[titles.index("bpp")][0] == f"{point.bpp:.4f}"
        if point.psnr is not None:
            assert cells[titles.index("PSNR (dB)")][0] == f"{point.psnr:.2f}"
    assert shown[-1][0][0] == "wmv by latents"


def test_comparisons_equal_the_results(run):
    results, *_, page = run
    _, *shown = page.tables["comparisons"]
    for cells, comparison in zip(shown, results.comparisons, strict=True):
        for place, value in ((3, comparison.bd_rate), (4, comparison.low)):
            assert cells[place][1] == (None if value is None else str(value))
        assert cells[6][0] == comparison.note
    assert shown[1][5] == ("+2.25 dB", "2.25")


def test_hostile_text_stays_text(run):
    _, _, _, text, page = run
    assert [kind for kind, _ in page.scripts] == ["application/json", None]
    assert "alert" not in page.scripts[1][1]
    assert "<b>" not in text
    assert "<i>" not in text
    assert f"webp q30 {HOSTILE}: cannot <b>encode</b>" in page.text
    assert "vvc: this <ffmpeg> has no libvvenc" in page.text
    assert page.tables["settings"][2][2][0] == "quality=<script>"
    viewer = json.loads(page.scripts[0][1])
    assert viewer["pictures"][0]["name"] == HOSTILE


def test_nothing_is_loaded_from_elsewhere(run):
    _, _, _, text, page = run
    loading = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in loading:
            assert value.startswith(("#", "data:")), (tag, name, value)
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "@import" not in style
    assert "url(" not in style
    assert all(match.startswith("#") for match in re.findall(r"url\((.)", text))
    assert "default-src 'none'" in text


def test_ids_are_unique_and_links_lead_somewhere(run):
    *_, page = run
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {
        v for _, name, v in page.attributes if name in ("href", "xlink:href") and v != "data:,"
    }
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(links) > 10


def test_summary_says_what_was_measured_on_what(run):
    results, *_, page = run
    text = "\n".join(page.text)
    for expected in (results.date, results.command, "base, hash 0123abcd", "a <b>bold</b> one",
                     "wavenetmv 1.2.3", "detector.onnx 99aa", "Where wmv is behind",
                     "3 codecs on 2 pictures of 192x128 pixels"):  # fmt: skip
        assert expected in text


def test_viewer_gets_pictures_and_boxes(run):
    results, _, pictures, _, page = run
    viewer = json.loads(page.scripts[0][1])
    assert (viewer["first"], viewer["second"]) == ("wmv", "jpeg")
    assert viewer["titles"] == dict(results.titles)
    rows = {(r.codec, r.setting, r.picture): r for r in results.rows if not r.error}
    for entry, picture in zip(viewer["pictures"], pictures, strict=True):
        assert len(entry["versions"]) == len(picture.versions)
        assert entry["boxes"] == [{"label": "<cat>", "score": 0.9, "box": [10.0, 10.0, 40.0, 40.0]}]
        for shown, version in zip(entry["versions"], picture.versions, strict=True):
            row = rows[version.codec, version.setting, picture.name]
            assert (shown["bpp"], shown["psnr"]) == (row.bpp, row.psnr)
            assert shown["source"].startswith("data:image/webp;base64,")
            latents = [box["score"] for box in shown["latents"] or []]
            assert latents == ([0.45] if version.codec == "wmv" else [])  # 0.1 is too unsure


def test_an_empty_benchmark_still_gives_a_page(tmp_path):
    text = write_report(Results(), tmp_path).read_text(encoding="utf-8")
    assert "0 codecs on 0 pictures" in text
    assert "viewer-data" not in text.split("<script>")[0]


def test_matched_rows_are_nearest_to_common_rates():
    def row(codec: str, bpp: float | None) -> Row:
        return Row(codec, f"at {bpp}", "a.png", 10, 10, 10, bpp)

    rows = [row("x", r) for r in (0.1, 0.2, 0.4, 0.8)] + [row("y", r) for r in (0.19, 0.5, 3.0)]
    rows.append(row("y", None))
    # 0.2132, 0.3377 and 0.5585 lie in the range common to both; these are nearest to them:
    assert rate_targets(rows) == (0.2, 0.4)
    chosen = {(r.codec, r.bpp) for r in matched_rows(rows)}
    assert chosen == {("x", 0.2), ("x", 0.4), ("y", 0.19), ("y", 0.5)}


def test_rates_apart_are_compared_all_the_same():
    rows = [Row("x", "1", "a", 1, 1, 1, 0.1), Row("y", "1", "a", 1, 1, 1, 0.4)]
    assert rate_targets(rows) == (0.1,)
    assert matched_rows(rows) == rows
    assert rate_targets([]) == ()


def test_pictures_without_files_are_left_out(run):
    results, folder, *_ = run
    bare = replace(results, rows=tuple(replace(r, decoded_file=None) for r in results.rows))
    assert comparison_pictures(bare, folder, lambda name: np.zeros((1, 1, 3), np.uint8)) == []


def test_missing_files_are_named(run, tmp_path, photographs):
    results, *_ = run
    with pytest.raises(InputError, match=r"png: cannot be read"):
        comparison_pictures(results, tmp_path, sample_pictures(photographs).__getitem__)


def noise(count: int) -> list[ComparisonPicture]:
    random = np.random.default_rng(0)
    pictures = []
    for place in range(count):
        pixels = random.integers(0, 256, (64, 96, 3), np.uint8)
        version = Version("wmv", f"q{QUALITIES[0]}", 0.5, None, pixels)
        pictures.append(ComparisonPicture(f"{place}.png", pixels, (0.5,), (version,)))
    return pictures


def test_pictures_are_kept_without_loss_where_there_is_room():
    embedded = embed(noise(2))
    assert "4 pictures embedded without loss" in embedded.note
    assert [len(group) for group in embedded.uris] == [2, 2]


@pytest.mark.parametrize("limit", [40_000, 8_000, 2_000])
def test_pictures_stay_within_the_limit(limit):
    embedded = embed(noise(3), limit)
    total = sum(len(uri) for group in embedded.uris for uri in group)
    assert 0 < total <= limit
    assert f"{total / 1e6:.1f} MB" in embedded.note
    assert ("left out for size" in embedded.note) == (len(embedded.uris) < 3)
