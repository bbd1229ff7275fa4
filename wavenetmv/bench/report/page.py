"""Results to report.html: style, script, drawings and pictures are inside the one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from wavenetmv.bench.findings import headlines, losses, order, scope, subject_of
from wavenetmv.bench.plots import make_plots
from wavenetmv.bench.report.drawings import colour_rules, inline_svg
from wavenetmv.bench.report.embedding import DEFAULT_LIMIT_BYTES, embed
from wavenetmv.bench.report.pictures import ComparisonPicture
from wavenetmv.bench.report.tables import (
    comparisons_table,
    points_table,
    published_table,
    settings_table,
)
from wavenetmv.bench.report.viewer import viewer_data
from wavenetmv.bench.results import Results
from wavenetmv.bench.wording import title_of
from wavenetmv.errors import InputError, UsageFault

NAME = "report.html"


def write_report(
    results: Results,
    out_dir: Path,
    pictures: Sequence[ComparisonPicture] = (),
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
) -> Path:
    """Write report.html into the existing folder `out_dir`; its path.

    pictures     to look at side by side, see `comparison_pictures`
    limit_bytes  of the pictures inside the page, together

    Raises UsageFault without matplotlib or jinja2, InputError if it cannot be written.
    """
    path = out_dir / NAME
    text = page(results, pictures, limit_bytes)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return path


def page(results: Results, pictures: Sequence[ComparisonPicture], limit_bytes: int) -> str:
    """The whole page as text; all text of `results` is escaped."""
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:
        raise UsageFault("the report needs a library: pip install jinja2") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = _resource("report.js")
    light, dark = colour_rules()
    style = _resource("report.css").replace("/*light*/", light).replace("/*dark*/", dark)
    embedded = embed(pictures, limit_bytes)
    return environment.from_string(_resource("report.html")).render(
        _content(results),
        plots=[(plot, Markup(inline_svg(plot))) for plot in make_plots(results)],
        style=Markup(style),
        script=Markup(script),
        script_hash=_content_hash(script),
        viewer=viewer_data(pictures, embedded, results),
        embedded_note=embedded.note,
    )


def _content(results: Results) -> dict[str, Any]:
    """Everything that is text."""
    return {
        "results": results,
        "subject": title_of(subject_of(results), results),
        "scope": scope(results),
        "headlines": headlines(results),
        "order": order(results),
        "losses": losses(results),
        "facts": _facts(results),
        "comparisons": comparisons_table(results),
        "points": points_table(results),
        "settings": settings_table(results),
        "published": published_table(results),
    }


def _facts(results: Results) -> list[tuple[str, str]]:
    """Under what circumstances, as pairs of name and value; unknown ones are left out."""
    weights = results.weights
    facts = [
        ("date", results.date),
        ("command", results.command),
        ("weights", f"{weights.name}, hash {weights.hash}" if weights else ""),
        ("detector", results.detector),
        ("classifier", results.classifier),
        ("labels", results.annotations),
        ("jobs side by side", str(results.jobs)),
        *results.machine.items(),
        ("versions", ", ".join(f"{name} {text}" for name, text in results.versions.items())),
    ]
    return [(name, value) for name, value in facts if value]


def _resource(name: str) -> str:
    return (files("wavenetmv.bench.report") / name).read_text(encoding="utf-8")


def _content_hash(script: str) -> str:
    """For the page's security policy: no other script runs, wherever it came from."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
