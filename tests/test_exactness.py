"""The same integers and the same bytes whatever the processor and the settings."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLDEST = {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}


@cache
def probe(
    threads: int = 2, layout: str = "contiguous", library: str = "onednn", **environment: str
) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "tests.exactness_probe", str(threads), layout, library],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("threads", "layout", "library", "environment"),
    [
        (1, "contiguous", "onednn", {}),
        (2, "channels_last", "onednn", {}),
        (2, "contiguous", "onednn", {"ONEDNN_MAX_CPU_ISA": "SSE41", **OLDEST}),
        (2, "contiguous", "onednn", {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
        (1, "channels_last", "onednn", {"ONEDNN_MAX_CPU_ISA": "AVX2", **OLDEST}),
        (2, "contiguous", "native", OLDEST),
    ],
)
def test_symbols_and_bytes_do_not_depend_on_the_machine(threads, layout, library, environment):
    assert probe(threads, layout, library, **environment) == probe()
