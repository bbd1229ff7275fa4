"""What the documents show does what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.vectors.regenerate import VECTORS
from wavenetmv.codec import PictureCodec
from wavenetmv.types import Picture

DOCS = Path(__file__).parent.parent / "docs"


def test_the_example_head_learns_to_tell_two_pictures_apart(photographs, tmp_path):
    codec = PictureCodec("cpu", weights=next(VECTORS.glob("tiny-*.safetensors")))
    for name in ("chelsea", "coffee"):
        (tmp_path / "data" / name).mkdir(parents=True)
        with Image.open(photographs / f"{name}.png") as image:
            pixels = np.asarray(image.convert("RGB"))
        for number, (top, left) in enumerate([(0, 0), (90, 60), (150, 200), (40, 280)]):
            crop = np.ascontiguousarray(pixels[top : top + 128, left : left + 160])
            data = codec.encode(Picture(crop), 512)
            (tmp_path / "data" / name / f"{number}.wmv").write_bytes(data)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "HEADS.md").read_text(), re.DOTALL)
    (program,) = [block for block in blocks if "train_head.py" in block]
    assert len(program.splitlines()) <= 50
    (tmp_path / "train_head.py").write_text(program)
    result = subprocess.run(
        [sys.executable, "train_head.py", "data"], cwd=tmp_path, text=True, check=False,
        capture_output=True, timeout=120,
        env={**os.environ, "WAVENETMV_WEIGHTS": str(VECTORS), "PYTHONPATH": str(DOCS.parent)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "100% of 8 training pictures right\n"
    assert (tmp_path / "head.pt").exists()
