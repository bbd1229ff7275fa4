"""The program with the weights in the package."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from wavenetmv.models import registry


def run(*arguments: object) -> list[dict[str, object]]:
    """`wmv ARGUMENTS --json` in a fresh process; its records."""
    command = [sys.executable, "-m", "wavenetmv", *(str(each) for each in arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def has_head(task: str) -> bool:
    """Whether there is a head for streams of the default weights."""
    default = (w for w in registry.list_weights() if w.name == registry.DEFAULT_NAME)
    hashes = {weights.stream_hash.hex() for weights in default}
    return any(each.task == task and each.codec_hash in hashes for each in registry.list_heads())


needs_weights = pytest.mark.skipif(
    not any(info.name == registry.DEFAULT_NAME for info in registry.list_weights()),
    reason="no trained weights in this copy",
)
