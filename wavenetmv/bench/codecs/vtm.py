"""VTM, the reference software of VVC, where its EncoderApp and DecoderApp are on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from wavenetmv.bench.codecs.base import Codec, Setting
from wavenetmv.bench.codecs.ffmpeg import TIMEOUT_S, to_rgb, to_yuv
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels

_CONFIG = "encoder_intra_vtm.cfg"
CONFIG_VARIABLE = "VTM_CONFIG"  # path of that file where it is not beside the programs
_PIXEL_FORMAT = "yuv444p10le"


class VtmCodec(Codec):
    """All intra, 4:4:4 with ten bits, full-range BT.709, as the published VTM curves of Kodak.

    Raises InputError when a program or the configuration is missing.
    """

    name = "vtm"
    title = "VVC (VTM)"
    suffix = ".vvc"
    settings = tuple(Setting(f"qp{qp}", qp) for qp in (47, 42, 37, 32, 27, 22, 17))

    def __init__(self) -> None:
        self._encoder = _program("EncoderApp")
        self._decoder = _program("DecoderApp")
        self._config = _config(self._encoder)
        banner = subprocess.run([self._encoder], capture_output=True, text=True).stdout
        named = [line for line in banner.splitlines() if "Version" in line]
        self._version = " ".join(named[0].split()) if named else "of unknown version"

    def command(self, setting: Setting) -> str:
        options = " ".join(self._options(setting, "HEIGHT", "WIDTH"))
        return f"VTM {self._version}: EncoderApp -c {self._config.name} {options}"

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        height, width = pixels.shape[:2]
        with tempfile.TemporaryDirectory() as folder:
            planes, stream = Path(folder, "in.yuv"), Path(folder, "out.vvc")
            planes.write_bytes(to_yuv(self.name, pixels, _PIXEL_FORMAT))
            self._run(
                self._encoder, "-c", str(self._config), "-i", str(planes), "-b", str(stream),
                "-o", os.devnull, *self._options(setting, str(height), str(width)),
            )  # fmt: skip
            return self._result(stream)

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        with tempfile.TemporaryDirectory() as folder:
            stream, planes = Path(folder, "in.vvc"), Path(folder, "out.yuv")
            stream.write_bytes(data)
            self._run(self._decoder, "-b", str(stream), "-o", str(planes), "-d", "10")
            return to_rgb(self.name, self._result(planes), _PIXEL_FORMAT, height, width)

    def _options(self, setting: Setting, height: str, width: str) -> list[str]:
        return [
            "-q", f"{setting.value:g}", "-hgt", height, "-wdt", width, "-f", "1", "-fr", "1",
            "--InputChromaFormat=444", "--InputBitDepth=10", "--ConformanceWindowMode=1",
        ]  # fmt: skip

    def _run(self, *command: str) -> None:
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"vtm: {error}") from error
        if done.returncode:
            lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise InputError(f"vtm: {Path(command[0]).name} failed: {(lines or ['?'])[-1]}")

    def _result(self, path: Path) -> bytes:
        if not path.exists():
            raise InputError(f"vtm: no {path.name} was written")
        return path.read_bytes()


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(f"{name}Static")
    if path is None:
        raise InputError(f"no {name} on the PATH")
    return path


def _config(encoder: str) -> Path:
    """From $VTM_CONFIG, or cfg/ beside the program's folder, as VTM's sources lay it out."""
    if named := os.environ.get(CONFIG_VARIABLE):
        candidates = [Path(named)]
    else:
        folder = Path(encoder).resolve().parent
        candidates = [folder / _CONFIG, folder / "cfg" / _CONFIG, folder.parent / "cfg" / _CONFIG]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"no {_CONFIG} beside {encoder}; set ${CONFIG_VARIABLE} to its path")
