"""The same integers and the same bytes whatever the processor and the settings."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@cache
def probe(threads: int = 2, layout: str = "contiguous", **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "tests.exactness_probe", str(threads), layout],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("threads", "layout", "environment"),
    [
        (1, "contiguous", {}),
        (2, "channels_last", {}),
        (1, "channels_last", {}),
        (2, "contiguous", {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}),
        (2, "contiguous", {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
        (1, "channels_last", {"ONEDNN_MAX_CPU_ISA": "AVX", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
        (2, "contiguous", {"TORCH_MKLDNN_ENABLED": "0", "ATEN_CPU_CAPABILITY": "default"}),
    ],
)
def test_symbols_and_bytes_do_not_depend_on_the_machine(threads, layout, environment):
    assert probe(threads, layout, **environment) == probe()
