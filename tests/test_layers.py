"""Who may import whom, and what must start without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wavenetmv"

# What of this package each part may import, anywhere in its modules. None: everything.
ALLOWED: dict[str, set[str] | None] = {
    "errors": set(),
    "types": set(),
    "labels": set(),
    "bitstream": {"errors", "types"},
    "models": {"errors", "types", "labels"},
    "io": {"errors", "types"},
    "frame_codec": {"models", "bitstream", "types", "errors"},
    "motion_estimation": {"models", "bitstream", "types"},
    "inter_codec": {
        *("models", "bitstream", "types", "errors", "frame_codec", "motion_estimation"),
    },
    "codec": {"models", "bitstream", "types", "errors", "frame_codec", "inter_codec"},
    "frame_coders": {
        *("models", "bitstream", "types", "errors", "frame_codec", "inter_codec"),
        *("metrics", "quality_hold", "looks"),
    },
    "looks": {"models", "types", "frame_codec"},
    "video_codec": {
        *("models", "bitstream", "types", "errors", "frame_codec", "codec", "frame_coders"),
        "looks",
    },
    "quality_hold": {"types"},
    "video": {"errors", "types", "bitstream", "io", "codec", "video_codec", "frame_coders"},
    "analysis": {"models", "bitstream", "types", "errors", "codec"},
    "answer_descent": {"models", "types", "frame_codec"},
    "focus": {
        *("models", "bitstream", "types", "errors", "frame_codec", "analysis", "answer_descent"),
    },
    "video_analysis": {
        *("errors", "types", "io", "codec", "frame_coders", "video_codec", "video", "analysis"),
    },
    "inspection": {"models", "bitstream", "types", "errors", "codec"},
    "metrics": {"errors", "types"},
    "training": {
        *("errors", "types", "models", "bitstream", "io", "codec", "analysis", "metrics"),
        *("frame_codec", "inter_codec", "motion_estimation"),
    },
    "bench": {
        *("errors", "types", "models", "bitstream", "io", "codec", "analysis", "metrics"),
        *("api", "training", "inspection", "labels", "video", "video_codec"),
        *("video_analysis", "focus", "frame_codec"),
    },
    "api": {
        *("errors", "types", "bitstream", "io", "codec", "frame_codec", "analysis", "focus"),
        *("video", "video_analysis"),
    },
    "cli": None,
    "__init__": {"errors", "types", "api", "video_analysis"},
    "__main__": {"cli"},
}
# Libraries that belong to some parts only.
FOREIGN = {
    "torch": {
        *(
            "models",
            "codec",
            "frame_codec",
            "inter_codec",
            "motion_estimation",
            "frame_coders",
            "looks",
            "video_codec",
            "analysis",
            "focus",
            "answer_descent",
            "inspection",
            "metrics",
        ),
        *("training", "bench", "api"),
    },
    "PIL": {"io", "api", "training", "bench"},
    "constriction": {"bitstream"},
    "imageio_ffmpeg": {"io", "bench", "training"},
    "typer": {"cli"},
    "rich": {"cli"},
    "compressai": {"training", "bench"},
    "trackers": {"video_analysis"},
    "supervision": {"video_analysis"},
}
NO_TORCH_AT_IMPORT = {
    *(
        "errors",
        "types",
        "bitstream",
        "io",
        "video",
        "video_analysis",
        "cli",
        "api",
        "__init__",
        "__main__",
    ),
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "wavenetmv":
                yield from (f"wavenetmv.{alias.name}" for alias in node.names)


def module_level(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is imported."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_import_direction(path):
    part = part_of(path)
    assert part in ALLOWED, f"{part} has no place in the table yet"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = ALLOWED[part]
    for name in imports(tree):
        top, *rest = name.split(".")
        if top == "wavenetmv" and rest and rest[0] != "__version__" and allowed is not None:
            assert rest[0] in allowed | {part}, f"{part} imports {name}"
        if top in FOREIGN:
            assert part in FOREIGN[top], f"{part} imports {name}"
    if part in NO_TORCH_AT_IMPORT:
        tops = {name.split(".")[0] for name in module_level(tree)}
        assert "torch" not in tops


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("wavenetmv", "torch numpy PIL constriction"),
        ("wavenetmv.cli.app", "torch numpy PIL constriction"),
        ("wavenetmv.bitstream", "torch PIL typer"),
        ("wavenetmv.io", "torch constriction typer"),
        ("wavenetmv.models.registry", "torch PIL"),
        ("wavenetmv.api", "torch typer"),
    ],
)
def test_what_loads_what(modules, absent):
    code = f"import sys, {modules}; print(*sorted(set({absent.split()}) & set(sys.modules)))"
    assert _python(code) == ""


def test_info_and_models_never_load_torch():
    stream = Path(__file__).parent / "vectors" / "picture_full.wmv"
    for arguments in (["info", "--verify", str(stream)], ["models"], ["--help"]):
        code = (
            "import sys; from wavenetmv.cli.app import app\n"
            f"try: app({arguments!r})\n"
            "except SystemExit as end: assert end.code == 0, end.code\n"
            "print('torch' in sys.modules, file=sys.stderr)"
        )
        assert _python(code, stream="stderr") == "False"


def _python(code: str, stream: str = "stdout") -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return str(getattr(result, stream)).strip()
