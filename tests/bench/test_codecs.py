"""Every codec wrapper on a small real picture of odd size: real bytes and back."""

from __future__ import annotations

import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import save_tiny, tiny_model
from wavenetmv.bench import environment
from wavenetmv.bench.codecs.base import CODEC_NAMES, CodecOptions, Setting, chosen, even_choice
from wavenetmv.bench.codecs.ffmpeg import HEVC, VVC, ffmpeg_program, to_rgb, to_yuv
from wavenetmv.bench.codecs.registry import default_names, make_codec
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.metrics import psnr
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.types import Picture, Profile

LEARNED = ("bmshj2018", "cheng2020")
TRADITIONAL = tuple(
    n for n in CODEC_NAMES if n not in ("wmv", "wmv-no-focus", "wmv-human", "vtm", *LEARNED)
)


@pytest.fixture(scope="module")
def pixels(photographs):
    """101x75 of a real cat."""
    with Image.open(photographs / "chelsea.png") as image:
        return np.asarray(image.convert("RGB"))[70:145, 110:211]


@pytest.mark.parametrize("name", TRADITIONAL)
def test_quality_and_size_rise_with_the_setting(name, pixels):
    codec = make_codec(name, CodecOptions())
    assert len(codec.settings) >= 6
    three = even_choice(codec.settings, 3)
    files = [codec.encode(pixels, setting) for setting in three]
    decoded = [codec.decode(data, 75, 101) for data in files]
    assert [each.shape for each in decoded] == [pixels.shape] * 3
    assert [each.dtype for each in decoded] == [np.uint8] * 3
    sizes = [len(data) for data in files]
    quality = [psnr(pixels, each) for each in decoded]
    assert sizes == sorted(set(sizes))
    assert all(b > a + 2 for a, b in pairwise(quality))
    assert quality[0] > 15  # JPEG 2000 at 1:256 has few bytes beyond its header here
    # Chroma of half the size bounds JPEG, WebP and VVC; a wrong colour matrix loses more.
    assert quality[-1] > 33
    assert np.abs(decoded[-1].mean((0, 1)) - pixels.mean((0, 1))).max() < 1.5


@pytest.mark.weights
def test_wmv_is_the_shipped_codec(pixels):
    from wavenetmv import decode, encode

    codec = make_codec("wmv", CodecOptions())
    codec.prepare()
    two = even_choice(codec.settings, 2)
    assert [setting.label for setting in two] == ["lambda 64", "lambda 2048"]
    files = [codec.encode(pixels, setting) for setting in two]
    assert files[1] == encode(pixels, 2048)
    decoded = [codec.decode(data, 75, 101) for data in files]
    assert np.array_equal(decoded[1], decode(files[1]))
    assert psnr(pixels, decoded[0]) + 3 < psnr(pixels, decoded[1])


def test_each_profile_of_our_own_weights_is_a_codec(pixels, tmp_path):
    weights = save_tiny(tmp_path, with_machine_profile(tiny_model()))
    machine, human = (
        make_codec(name, CodecOptions(weights=weights)) for name in ("wmv", "wmv-human")
    )
    setting = human.settings[3]
    assert human.command(setting) == f"{machine.command(setting)} --for human"
    data = human.encode(pixels, setting)
    codec = PictureCodec("cpu", threads=1, weights=weights)
    assert data == codec.encode(Picture(pixels), 512, Profile.HUMAN)
    assert machine.encode(pixels, setting) == codec.encode(Picture(pixels), 512)
    assert np.array_equal(human.decode(data, 75, 101), codec.decode(data).pixels)
    with pytest.raises(UsageFault, match="not human"):
        make_codec("wmv-human", CodecOptions(weights=save_tiny(tmp_path)))


def test_another_line_of_codec_code_is_another_version(tmp_path, monkeypatch):
    parts = ("codec.py", "models/gains.py", "bench/runner.py")
    for part in parts:
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_text("1\n")
    monkeypatch.setattr(environment, "_PACKAGE", tmp_path)
    versions = []
    for part in (None, *parts):
        if part is not None:
            (tmp_path / part).write_text("2\n")
        versions.append(environment.codec_version.__wrapped__())
    assert len(set(versions)) == 3
    assert versions[2] == versions[3]  # the benchmark's own code


@pytest.mark.parametrize("name", TRADITIONAL)
def test_commands_name_program_and_setting(name):
    codec = make_codec(name, CodecOptions())
    commands = [codec.command(setting) for setting in codec.settings]
    assert len(set(commands)) == len(commands)
    for setting, command in zip(codec.settings, commands, strict=True):
        assert f"{setting.value:g}" in command
        assert command.startswith(("Pillow ", "ffmpeg "))
        assert setting.label in codec.describe()


def test_files_are_bare_streams_that_ffmpeg_knows_by_themselves(pixels, tmp_path):
    for name in ("hevc", "av1", "vvc", "jpegxl"):
        codec = make_codec(name, CodecOptions())
        path = tmp_path / f"file{codec.suffix}"
        path.write_bytes(codec.encode(pixels, codec.settings[3]))
        read = subprocess.run(
            [ffmpeg_program(), "-v", "error", "-i", path, "-f", "null", "-"], capture_output=True
        )
        assert (read.returncode, read.stderr) == (0, b""), name


def test_colour_conversions_are_inverse_but_for_rounding(pixels):
    raw = to_yuv("test", pixels, "yuv444p10le")
    assert len(raw) == 2 * pixels.size
    assert psnr(pixels, to_rgb("test", raw, "yuv444p10le", 75, 101)) > 55
    grey = np.frombuffer(to_yuv("test", np.full((2, 2, 3), 255, np.uint8), "yuv444p10le"), "<u2")
    assert grey[0] == 1023  # full range
    red = np.zeros((2, 2, 3), np.uint8)
    red[:, :, 0] = 255
    luma = np.frombuffer(to_yuv("test", red, "yuv444p10le"), "<u2")[0]
    assert luma == pytest.approx(0.2126 * 1023, abs=1.5)  # BT.709; BT.601 has 0.299


def test_what_an_encoder_refuses_is_one_clear_line():
    tiny = np.zeros((1, 1, 3), np.uint8)
    with pytest.raises(InputError, match=r"^hevc: ffmpeg failed: .*too small") as caught:
        HEVC.encode(tiny, HEVC.settings[0])
    assert "0x" not in str(caught.value)
    with pytest.raises(InputError, match=r"^vvc: ffmpeg failed"):
        VVC.decode(b"no stream at all", 10, 10)
    with pytest.raises(InputError, match=r"^jpeg: Pillow cannot decode"):
        make_codec("jpeg", CodecOptions()).decode(b"no stream at all", 10, 10)


def test_settings_are_chosen_evenly():
    settings = [Setting(str(k), k) for k in range(9)]
    assert [s.value for s in even_choice(settings, 3)] == [0, 4, 8]
    assert [s.value for s in even_choice(settings, 1)] == [4]
    assert even_choice(settings, None) == even_choice(settings, 20) == settings


def test_settings_that_are_named_come_in_the_order_of_their_rates():
    codec = make_codec("webp", CodecOptions())
    assert [s.label for s in chosen(codec, [45, 1], points=9)] == ["q1", "q45"]
    assert chosen(codec, None, points=None) == list(codec.settings)
    with pytest.raises(UsageFault, match=r"webp has no setting 46; there are 1, 5, 15"):
        chosen(codec, [45, 46], points=None)


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(
        UsageFault, match=r"unknown codec 'gif'; there are wmv, wmv-no-focus, wmv-human, jpeg"
    ):
        make_codec("gif", CodecOptions())


def test_compressai_that_is_not_there_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "compressai", None)
    for name in LEARNED:
        with pytest.raises(InputError, match=r"CompressAI cannot be loaded.*bench-neural"):
            make_codec(name, CodecOptions())


@pytest.fixture
def networks():
    """CompressAI's models; only an environment with the extra bench-neural has them."""
    reason = "CompressAI is not installed"
    return pytest.importorskip("compressai.models", reason=reason, exc_type=ImportError)


@pytest.mark.filterwarnings("ignore")
def test_compressai_codes_with_a_local_checkpoint(networks, pixels, tmp_path):
    import torch

    torch.manual_seed(0)
    network = networks.ScaleHyperprior(8, 12)
    path = tmp_path / "trained.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    codec = make_codec("bmshj2018", CodecOptions(checkpoints={"bmshj2018": [path]}))
    data = codec.encode(pixels, codec.settings[0])
    padded = np.pad(pixels, ((0, 53), (0, 27), (0, 0)), mode="edge")
    network.update()
    x = torch.from_numpy(padded.copy()).permute(2, 0, 1)[None] / 255
    coded = network.eval().compress(x)
    assert len(data) == 9 + sum(4 + len(string[0]) for string in coded["strings"])
    x_hat = network.decompress(coded["strings"], coded["shape"])["x_hat"][0, :, :75, :101]
    expected = (x_hat.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(codec.decode(data, 75, 101), expected)


@pytest.mark.filterwarnings("ignore")
def test_checkpoints_of_other_things_are_refused(networks, tmp_path):
    path = tmp_path / "other.pth"
    path.write_bytes(b"not a checkpoint")
    for given, text in ((path, "no checkpoint of bmshj"), (tmp_path / "no.pth", "No such file")):
        with pytest.raises(InputError, match=text):
            make_codec("bmshj2018", CodecOptions(checkpoints={"bmshj2018": [given]}))


# Stands in for VTM: the "stream" is the options and the planes, so that arguments are tested.
_ENCODER = """
import sys
if len(sys.argv) == 1:
    print("VVCSoftware: VTM Encoder Version 23.4 [Linux]"); sys.exit(1)
a = dict(zip(sys.argv[1::1], sys.argv[2::1]))
assert a["-c"].endswith("encoder_intra_vtm.cfg") and a["-f"] == "1", a
assert "--InputChromaFormat=444" in sys.argv and "--InputBitDepth=10" in sys.argv
planes = open(a["-i"], "rb").read()
assert len(planes) == 6 * int(a["-wdt"]) * int(a["-hgt"])
open(a["-b"], "wb").write(a["-q"].encode() + b"," + planes)
"""
_DECODER = """
import sys
a = dict(zip(sys.argv[1::1], sys.argv[2::1]))
assert a["-d"] == "10"
open(a["-o"], "wb").write(open(a["-b"], "rb").read().partition(b",")[2])
"""


def _install(folder: Path, name: str, code: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_vtm_is_used_where_its_programs_are(pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "vtm" not in default_names()
    with pytest.raises(InputError, match="no EncoderApp on the PATH"):
        make_codec("vtm", CodecOptions())
    _install(tmp_path, "EncoderApp", _ENCODER)
    _install(tmp_path, "DecoderApp", _DECODER)
    assert "vtm" in default_names()
    with pytest.raises(InputError, match=r"no encoder_intra_vtm\.cfg beside"):
        make_codec("vtm", CodecOptions())
    (tmp_path / "encoder_intra_vtm.cfg").write_text("")
    codec = make_codec("vtm", CodecOptions())
    assert "Version 23.4" in codec.command(codec.settings[0])
    data = codec.encode(pixels, codec.settings[2])
    assert data.startswith(b"37,")
    assert psnr(pixels, codec.decode(data, 75, 101)) > 55


def test_vtm_that_fails_is_one_clear_line(pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _install(tmp_path, "EncoderApp", "import sys; sys.exit('Error: no licence to encode')")
    _install(tmp_path, "DecoderApp", "pass")
    (tmp_path / "encoder_intra_vtm.cfg").write_text("")
    codec = make_codec("vtm", CodecOptions())
    with pytest.raises(InputError, match="EncoderApp failed: Error: no licence to encode"):
        codec.encode(pixels, codec.settings[0])
    with pytest.raises(InputError, match=r"no out\.yuv was written"):
        codec.decode(b"", 75, 101)
