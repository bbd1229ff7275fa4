"""The generated part of docs/RESULTS.md, from benchmarks that have been run.

    python -m wavenetmv.bench.results_document RESULTS.json... --out docs/RESULTS.md
        --plots docs/plots

Every benchmark is named by the folder of its results.json.  The generated part stands
between two marker comments: whatever stands around them stays as it is, and a document
without them gets them at its end.  `make results` runs the benchmarks, then this.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath
from urllib.parse import quote

from wavenetmv.bench.findings import losses, scope, subject_of
from wavenetmv.bench.plots import Plot, make_plots, save_plots
from wavenetmv.bench.results import Results, load
from wavenetmv.bench.results_tables import (
    bd_rate_tables,
    escaped,
    methods_table,
    points_table,
    settings_table,
)
from wavenetmv.bench.wording import MISSING, number, title_of
from wavenetmv.errors import InputError, UsageFault, WmvError

BEGIN = "<!-- begin of the part that `make results` writes -->"
END = "<!-- end of the part that `make results` writes -->"
_FOLDERS = re.compile(r"(?<![\w.~:/])/(?:[^/\s]+/)+")  # of absolute paths within a text
_COMMAND = "make results KODAK=DIR COCO=DIR DETECTOR=FILE.onnx [VIDEO=DIR]"


def write_document(sources: list[Path], out: Path, plots: Path) -> None:
    """Draw the plots of every results.json into `plots` and put its numbers into `out`.

    Raises UsageFault if two sources have the same folder name, InputError if a file cannot
    be read or written or has broken markers.
    """
    benchmarks = _load_all(sources)
    drawings = {name: make_plots(results) for name, results in benchmarks.items()}
    part = generated(benchmarks, drawings, _relative(plots, out.parent))
    document = merged(_read(out), part, out)
    try:
        plots.mkdir(parents=True, exist_ok=True)
        for name, drawn in drawings.items():
            save_plots(drawn, plots, ["svg"], f"{name}-")
        out.write_text(document, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error


def _load_all(sources: list[Path]) -> dict[str, Results]:
    benchmarks: dict[str, Results] = {}
    for source in sources:
        name = source.resolve().parent.name
        if name in benchmarks:
            raise UsageFault(f"two benchmarks are called {name}: rename the folder of one")
        benchmarks[name] = load(source)
    return benchmarks


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "# Results\n"
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _relative(plots: Path, folder: Path) -> str:
    return PurePath(os.path.relpath(plots, folder)).as_posix()


def merged(document: str, part: str, path: Path) -> str:
    """`document` with `part` between its markers, which are added at the end if missing."""
    counts = (document.count(BEGIN), document.count(END))
    if counts == (0, 0):
        return f"{document.rstrip()}\n\n{BEGIN}\n\n{part}\n{END}\n"
    begin, end = document.find(BEGIN), document.find(END)
    if counts != (1, 1) or end < begin:
        raise InputError(f"{path}: needs one line {BEGIN} and below it one line {END}, or neither")
    return f"{document[:begin]}{BEGIN}\n\n{part}\n{document[end:]}"


def generated(
    benchmarks: Mapping[str, Results], drawings: Mapping[str, list[Plot]], folder: str
) -> str:
    """The part between the markers.

    drawings  by the benchmark's name; `folder`: of their files, as seen from the document
    """
    parts = [
        "## Benchmarks\n",
        f"`{_COMMAND}` runs what follows and writes this part. Bytes are whole files, header "
        "included; measures are means over pictures or frames, on decoded 8-bit RGB; BD-rates use "
        "PCHIP on log rate over the common range, negative is better, in brackets 95% intervals by "
        "bootstrap over pictures or clips. Times mean something as ratios within one table only. "
        "Dashed curves in the plots were published by others and are not measured here.\n",
        *(
            _benchmark(name, results, drawings[name], folder)
            for name, results in benchmarks.items()
        ),
        _methods(benchmarks),
        *(_losses(name, results) for name, results in benchmarks.items()),
    ]
    return "\n".join(parts)


def _benchmark(name: str, results: Results, drawings: list[Plot], folder: str) -> str:
    parts = [f"### {escaped(name)}\n", f"{escaped(scope(results))}\n", _circumstances(results)]
    if text := bd_rate_tables(results):
        parts.append(text)
    parts += [
        f"![{escaped(plot.title)}]({quote(f'{folder}/{name}-{plot.name}.svg')})\n"
        for plot in drawings
    ]
    parts += [points_table(results), settings_table(results)]
    remarks = [_FOLDERS.sub("", line) for line in (*results.notes, *results.failures)]
    if remarks:
        parts += ["Notes, and what failed:\n", *(f"- {escaped(line)}" for line in remarks), ""]
    return "\n".join(parts)


def _circumstances(results: Results) -> str:
    """Everything that a repetition needs, without the paths of the machine it ran on."""
    weights = results.weights
    baseline = ", ".join(f"{key} {number(value)}" for key, value in results.baseline.items())
    facts = {
        "date": results.date,
        "weights": f"{weights.name}, hash {weights.hash}" if weights else "",
        "detector": results.detector,
        "classifier": results.classifier,
        "on the original pictures": baseline,
        "machine": ", ".join(f"{key} {value}" for key, value in results.machine.items()),
        "jobs side by side": str(results.jobs),
        "versions": ", ".join(f"{key} {value}" for key, value in results.versions.items()),
    }
    lines = [f"- {key}: {escaped(value)}" for key, value in facts.items() if value]
    command = f"```bash\n{portable(results.command)}\n```\n" if results.command else ""
    return "\n".join(lines) + f"\n\n{command}"


def portable(command: str) -> str:
    """The command with every path that leads out of its folder reduced to its last part."""
    try:
        words = shlex.split(command)
    except ValueError:  # quotes that do not match
        words = command.split()
    return shlex.join(_last_part(word) for word in words)


def _last_part(word: str) -> str:
    option, equals, value = word.partition("=")
    path = PurePath(value if equals else word)
    if not (path.is_absolute() or ".." in path.parts):
        return word
    return f"{option}{equals}{path.name}" if equals else path.name


def _methods(benchmarks: Mapping[str, Results]) -> str:
    parts = ["### Quality and accuracy of each method\n"]
    for name, results in benchmarks.items():
        if text := methods_table(results):
            parts += [
                f"On {escaped(name)}; AI accuracy is mAP on what the codec gives back / mAP on "
                f"the originals, with {escaped(results.detector)}. By latents no pixels are "
                f"decoded, hence {MISSING} for their quality.\n",
                text,
            ]
    if len(parts) == 1:
        parts.append("No benchmark with labels was run, so there is no accuracy to show.\n")
    return "\n".join(parts)


def _losses(name: str, results: Results) -> str:
    subject = escaped(title_of(subject_of(results), results))
    lines = [f"- {escaped(sentence)}" for sentence in losses(results)]
    found = "\n".join(lines) or f"On no measure taken is another codec ahead of {subject}."
    return f"### Where {subject} loses: {escaped(name)}\n\n{found}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        write_document(arguments.results, arguments.out, arguments.plots)
    except WmvError as error:
        sys.exit(f"error: {error}")
    print(f"{arguments.out}: {len(arguments.results)} benchmarks")


if __name__ == "__main__":
    main()
