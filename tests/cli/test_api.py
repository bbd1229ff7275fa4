"""`import wavenetmv`, beside the command because both are tested with the tiny weights."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from PIL import Image

import wavenetmv
from wavenetmv import api


def test_pillow_image_and_back(picture, psnr):
    data = wavenetmv.encode(picture)
    pixels = wavenetmv.decode(data)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (80, 96, 3))
    assert psnr(pixels, picture) > 18  # random weights
    assert np.array_equal(np.asarray(wavenetmv.decode_image(data)), pixels)
    assert wavenetmv.info(data).header.lmbda == 512


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(channels, dtype, picture):
    samples = np.asarray(picture.convert("RGBA"))
    samples = samples[..., 1] if channels is None else samples[..., :channels]
    data = wavenetmv.encode(samples.astype(dtype) * (257 if dtype == np.uint16 else 1), lmbda=100)
    assert wavenetmv.decode(data).shape == (80, 96, 3)
    mode = {None: "L", 1: "L", 3: "RGB", 4: "RGBA"}[channels]
    assert wavenetmv.decode_image(data).mode == mode


def test_alpha_is_lossless_and_metadata_travels(picture):
    alpha = Image.radial_gradient("L").resize(picture.size)
    picture.putalpha(alpha)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    picture.info["exif"] = exif.tobytes()
    image = wavenetmv.decode_image(wavenetmv.encode(picture))
    assert image.getchannel("A").tobytes() == alpha.tobytes()
    assert image.getexif()[0x010F] == "Maker"


def test_bytes_like_streams(picture):
    data = wavenetmv.encode(picture)
    for same in (bytearray(data), memoryview(data)):
        assert np.array_equal(wavenetmv.decode(same), wavenetmv.decode(data))
        assert wavenetmv.info(same) == wavenetmv.info(data)


def test_latents(picture):
    assert wavenetmv.latents(wavenetmv.encode(picture)).shape == (1, 16, 8, 8)


def test_size_target(picture):
    smallest = wavenetmv.encode(picture, lmbda=64)
    assert len(wavenetmv.Codec().encode_to_size(picture, len(smallest) + 100)) >= len(smallest)
    with pytest.raises(wavenetmv.UsageFault, match="lambda 64"):
        wavenetmv.Codec().encode_to_size(picture, 10)


def test_errors(picture):
    with pytest.raises(wavenetmv.UsageFault):
        wavenetmv.encode(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(wavenetmv.NotAStream):
        wavenetmv.decode(b"no stream")
    with pytest.raises(wavenetmv.CorruptStream):
        wavenetmv.decode(wavenetmv.encode(picture)[:-1])
    with pytest.raises(wavenetmv.StreamError):
        wavenetmv.info(b"")


def test_a_codec_is_its_settings(picture):
    codec = wavenetmv.Codec(device="cpu", threads=1)
    data = codec.encode(picture)
    copy = pickle.loads(pickle.dumps(codec))
    assert copy == codec
    assert copy.engine() is codec.engine()
    assert copy.encode(picture) == data
    assert (
        repr(copy) == "Codec(device='cpu', threads=1, weights=None, inter_weights=None, head=None)"
    )


def test_threads_share_one_loading(picture, codec, monkeypatch):
    loaded = []
    original = codec.PictureCodec.__init__

    def counted(self, *arguments: object, **options: object) -> None:
        loaded.append(self)
        original(self, *arguments, **options)

    monkeypatch.setattr(codec.PictureCodec, "__init__", counted)
    monkeypatch.setattr(api, "_engines", {})
    results: list[bytes] = []
    shared = wavenetmv.Codec()
    threads = [
        threading.Thread(target=lambda: results.append(shared.encode(picture))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 1
    assert len(results) == 6
    assert len(set(results)) == 1


def test_names():
    assert set(wavenetmv.__all__) <= set(dir(wavenetmv))
    for name in wavenetmv.__all__:
        assert getattr(wavenetmv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        wavenetmv.nothing  # noqa: B018
