"""docs/RESULTS.md: generated tables hold the numbers, everything else stays as it was."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.samples import ACCURACY, BASELINE, LATENTS, sample_results
from wavenetmv.bench import results_document
from wavenetmv.bench.results import Results, save
from wavenetmv.bench.results_document import BEGIN, END, merged, portable, write_document
from wavenetmv.bench.results_tables import escaped, methods_table
from wavenetmv.bench.wording import MISSING
from wavenetmv.errors import InputError, UsageFault

pytest.importorskip("matplotlib", reason="matplotlib (extra bench) is missing")

ROOT = Path(__file__).parent.parent.parent
RECORDED = "# Results\n\nBy hand: 1 < 2.\n\n## Memory\n\n2.7 GB\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory, photographs):
    folder = tmp_path_factory.mktemp("runs") / "sample"
    folder.mkdir()
    results = sample_results(photographs, folder)
    save(results, folder)
    return results, folder / "results.json"


@pytest.fixture(scope="module")
def document(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    out = folder / "RESULTS.md"
    out.write_text(RECORDED, encoding="utf-8")
    write_document([run[1]], out, folder / "plots")
    return out


def tables(text: str) -> dict[str, list[list[str]]]:
    """Rows of cells by the first column's title."""
    found = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = [re.split(r" (?<!\\)\| ", line[2:-2]) for line in block.splitlines()]
        found[lines[0][0]] = [lines[0], *lines[2:]]
    return found


def test_points_and_comparisons_are_those_of_the_results(run, document):
    results, _ = run
    shown = tables(document.read_text(encoding="utf-8"))
    change = {row[0]: row[1:] for row in shown[r"bits against JPEG \| \<i>baseline\</i>"]}
    assert change["WebP for $5"] == [
        "\u221240.5% (\u221247.0% to \u221238.0%)", "+400.0% (+300.0% to +500.0%)",
    ]  # fmt: skip
    assert change["wmv"][1] == "\u221212.0%; on 2 pictures"
    assert change["wmv by latents"] == [MISSING, "no common range"]
    text = document.read_text(encoding="utf-8")
    for point in results.points:
        line = f"| {escaped(point.setting)} | {point.bpp:.4f} |"
        assert line in text


def test_methods_are_laid_out_as_in_the_paper(run):
    results, _ = run
    ((header, *rows),) = tables(methods_table(results)).values()
    assert header == ["method", "setting", "PSNR (dB)", "MS-SSIM", "BPP", "AI accuracy"]
    assert len(rows) == len(results.points)
    for row, point in zip(rows, results.points, strict=True):
        assert row[4] == f"{point.bpp:.4f}"
        assert row[2] == (MISSING if point.path == "latents" else f"{point.psnr:.2f}")
    assert rows[0][5] == f"{100 * ACCURACY['wmv'][0] / BASELINE:.1f}%"
    assert rows[-1][5] == f"{100 * LATENTS[-1] / BASELINE:.1f}%"


def test_no_labels_no_accuracy():
    assert methods_table(Results()) == ""


def test_what_others_wrote_stays(document):
    text = document.read_text(encoding="utf-8")
    assert text.startswith(RECORDED)
    assert text.count(BEGIN) == text.count(END) == 1


def test_a_second_time_changes_nothing_and_keeps_both_sides(run, document):
    text = document.read_text(encoding="utf-8") + "\nAfter the end.\n"
    document.write_text(text, encoding="utf-8")
    write_document([run[1]], document, document.parent / "plots")
    assert document.read_text(encoding="utf-8") == text


def test_plots_of_the_document_exist(document):
    names = re.findall(r"!\[.*\]\((.*)\)", document.read_text(encoding="utf-8"))
    assert "plots/sample-rate-psnr.svg" in names
    assert sorted(names) == sorted(
        f"plots/{path.name}" for path in (document.parent / "plots").iterdir()
    )


def test_circumstances_and_losses_are_told(document):
    text = document.read_text(encoding="utf-8")
    for expected in ("2026-03-01", "hash 0123abcd", "detector.onnx 99aa", "wavenetmv 1.2.3",
                     "### Where wmv loses: sample", "needs more than WebP for $5",
                     'webp q30 "', "map 0.300"):  # fmt: skip
        assert expected in text
    assert "/home/user" not in text
    assert "- left out: b.png, x/y.png 1/2 s\n" in text
    assert "wmv bench photos --out=run" in text


def test_text_cannot_become_markup(document):
    text = document.read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)<(?!!--)", text.removeprefix(RECORDED))
    assert escaped("a|b\n<c>`*[]\\") == r"a\|b \<c>\`\*\[\]\\"


@pytest.mark.parametrize("text", [BEGIN, END, f"{END} {BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_broken_markers_are_refused(text, tmp_path):
    with pytest.raises(InputError, match="needs one line"):
        merged(text, "new", tmp_path)


def test_a_new_document_gets_a_title(run, tmp_path):
    out = tmp_path / "NEW.md"
    write_document([run[1]], out, tmp_path / "elsewhere" / "plots")
    assert out.read_text(encoding="utf-8").startswith(f"# Results\n\n{BEGIN}\n")
    assert "(elsewhere/plots/sample-time.svg)" in out.read_text(encoding="utf-8")


def test_two_benchmarks_need_two_names(run, tmp_path):
    with pytest.raises(UsageFault, match="two benchmarks are called sample"):
        write_document([run[1], run[1]], tmp_path / "R.md", tmp_path)


def test_where_nobody_is_ahead_that_is_said(run, tmp_path):
    results, _ = run
    alone = replace(results, comparisons=(), points=results.points[:3])
    save(alone, tmp_path)
    write_document([tmp_path / "results.json"], tmp_path / "R.md", tmp_path)
    assert "On no measure taken is another codec ahead of wmv." in (tmp_path / "R.md").read_text()


def test_program_reports_errors_in_one_line(monkeypatch, tmp_path):
    missing = tmp_path / "results.json"
    arguments = ["x", str(missing), "--out", str(tmp_path / "R.md"), "--plots", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match=r"error: .*results\.json"):
        results_document.main()


def test_program_writes_the_document(run, monkeypatch, tmp_path, capsys):
    out = tmp_path / "R.md"
    arguments = ["x", str(run[1]), "--out", str(out), "--plots", str(tmp_path / "plots")]
    monkeypatch.setattr(sys, "argv", arguments)
    results_document.main()
    assert capsys.readouterr().out == f"{out}: 1 benchmarks\n"
    assert END in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("wmv bench /a/b/kodak --out x/y", "wmv bench kodak --out x/y"),
        ("wmv bench --out=/a/b '/a/my photos'", "wmv bench --out=b 'my photos'"),
        ("wmv bench ../data/kodak -o x/y --out=../b", "wmv bench kodak -o x/y --out=b"),
        ("wmv 'unbalanced /a/b", "wmv ''\"'\"'unbalanced' b"),
    ],
)
def test_commands_lose_the_machines_paths(command, expected):
    assert portable(command) == expected


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_results_says_what_it_needs():
    result = subprocess.run(
        ["make", "results"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert result.returncode == 2
    assert "make results needs KODAK=DIR" in result.stderr
