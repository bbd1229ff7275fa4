"""Inter frames through the real coder, with tiny random weights: exact, bounded, recoverable."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import save_tiny, save_tiny_inter, tiny_inter_model, tiny_model
from wavenetmv import inter_codec, looks
from wavenetmv.bitstream import PacketKind
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CheckpointError, CorruptStream, UsageFault
from wavenetmv.frame_codec import Look
from wavenetmv.frame_coders import intra_bonus
from wavenetmv.models import inter_inference, skip
from wavenetmv.models.checkpoints import load_inter_weights
from wavenetmv.models.entropy import Z_MAX
from wavenetmv.models.exact import export_entropy
from wavenetmv.models.inter import InterModel
from wavenetmv.models.registry import read_inter_info
from wavenetmv.quality_hold import QualityHold
from wavenetmv.training.export import inter_model_from_weights
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.types import GOP_DEFAULT, LAMBDA_STEPS_PER_OCTAVE, Profile, VideoFrame, VideoInfo
from wavenetmv.video_codec import VideoDecoder, VideoEncoder, choose_group

WIDTH, HEIGHT, COUNT = 150, 100, 5


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> PictureCodec:
    folder = tmp_path_factory.mktemp("weights")
    return PictureCodec("cpu", weights=save_tiny(folder), inter_weights=save_tiny_inter(folder))


@pytest.fixture(scope="module")
def frames(photographs) -> list[np.ndarray]:
    """A window that moves over a photograph."""
    with Image.open(photographs / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    return [pixels[3 * n : 3 * n + HEIGHT, 5 * n : 5 * n + WIDTH].copy() for n in range(COUNT)]


@pytest.fixture(autouse=True)
def anything_goes(monkeypatch):
    """Random weights predict badly; inter frames are to be coded all the same."""
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", math.inf)


def encode(codec, frames, **options):
    info = VideoInfo(frames[0].shape[1], frames[0].shape[0], Fraction(25))
    encoder = VideoEncoder(codec, info, **options)
    times = (Fraction(n, 25) for n in range(len(frames)))
    coded = [
        encoder.encode(VideoFrame(pixels, time)) for pixels, time in zip(frames, times, strict=True)
    ]
    return encoder.header, coded


def decode(codec, header, coded):
    decoder = VideoDecoder(codec, header, header.video)
    return [decoder.decode(frame).pixels for frame in coded]


def kinds(coded):
    return "".join("I" if frame.kind is PacketKind.INTRA else "P" for frame in coded)


def test_decoder_follows_encoder(codec, frames):
    """A wrong view of the past would show as a wrong CRC of the symbols."""
    header, coded = encode(codec, frames)
    assert kinds(coded) == "IPPPP"
    assert header.video.has_inter
    found = decode(codec, header, coded)
    assert [pixels.shape for pixels in found] == [(HEIGHT, WIDTH, 3)] * COUNT
    again = decode(codec, header, coded)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


@pytest.mark.parametrize("gop", [1, 3, 32])
def test_frames_with_quality_maps(codec, frames, gop, monkeypatch):
    monkeypatch.setattr(looks, "_EVERY", 2)
    asked = []

    def focus(y_hat):
        asked.append(tuple(y_hat.shape))
        leniency = torch.rand(8, 12, generator=torch.Generator().manual_seed(len(asked)))
        return Look(np.array([[1, 0, 5], [4, len(asked), 2]], np.uint8), 4 * leniency)

    header, coded = encode(codec, frames, gop=gop, focus=lambda profile: focus)
    assert header.quality_map
    assert asked == [(1, 16, 8, 12)] * 3
    assert [c.kind for c in coded].count(PacketKind.INTRA) == -(-COUNT // gop)
    even_header, even = encode(codec, frames, gop=gop, focus=lambda profile: None)
    assert not even_header.quality_map
    assert sum(len(c.payload.coded) for c in coded) < sum(len(c.payload.coded) for c in even)
    decoder = VideoDecoder(codec, header, header.video)
    again = [decoder.read(frame) for frame in coded]
    assert all(frame.pixels().shape == frames[0].shape for frame in again)
    # Symbols that differ would have raised; the other header makes nonsense of the same bytes.
    with pytest.raises(CorruptStream):
        VideoDecoder(codec, even_header, header.video).read(coded[0])


def test_gradient_of_what_is_shown_by_latents(tmp_path):
    path = save_tiny_inter(tmp_path)
    model = inter_inference.InterInferenceModel(
        load_inter_weights(path), torch.device("cpu"), torch.float32
    )
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(1, 3, 128, 192, generator=generator)
    prediction = model.predict(reference, torch.zeros(1, 2, 8, 12, dtype=torch.int32))
    y_hat = torch.randn(1, 16, 8, 12, generator=generator)
    skips = torch.zeros(1, 1, 8, 12, dtype=torch.bool)
    skips[..., 3:, :5] = True
    weight = torch.randn(1, 3, 100, 150, generator=generator)

    def shown(y_hat):
        x_hat = skip.apply(skips, prediction.pixels, model.synthesise(y_hat, prediction))
        return float((x_hat[..., :100, :150] * weight).sum())

    gradient = model.synthesis_gradient(y_hat, prediction, skips, weight)
    # A way on which little cancels.
    change = 0.02 * torch.rand(y_hat.shape, generator=generator) * gradient.sign()
    expected = 2 * float((gradient * change).sum())
    assert shown(y_hat + change) - shown(y_hat - change) == pytest.approx(expected, rel=0.02)


def test_the_best_attempt_at_each_frame_is_what_is_coded(codec, frames):
    """A search that takes the second of two, whose latents are half of what they were."""
    searches, bits = [], []

    def search_of(y_hat, of_pixels):
        def search(index, attempts):
            first = attempts(None)
            second = attempts(-0.5 * first.steps())
            bits.append([each.bits() for each in (first, second)])
            assert first.y_hat().shape == second.y_hat().shape == y_hat.shape
            assert not torch.equal(first.y_hat(), second.y_hat())
            assert second.steps().abs().sum() < 0.8 * first.steps().abs().sum()
            return second

        searches.append((tuple(y_hat.shape), of_pixels))
        return search

    look = Look(np.ones((2, 3), np.uint8), search_of=search_of)
    header, coded = encode(codec, frames, gop=4, focus=lambda profile: lambda y_hat: look)
    assert kinds(coded) == "IPPPI"
    # Inter frames are judged by their pixels.
    assert searches == [((1, 16, 8, 12), kind == "P") for kind in kinds(coded)]
    for frame, (of_first, of_second) in zip(coded, bits, strict=True):
        assert of_second < of_first
        # All but the maps and, in inter frames, motion and skipped blocks.
        assert of_second < 8 * len(frame.payload.coded)
    decoder = VideoDecoder(codec, header, header.video)
    shown = [decoder.read(frame) for frame in coded]
    assert [frame.latents is None for frame in shown] == [kind == "P" for kind in kinds(coded)]
    intra = shown[0].latents
    assert np.array_equal(intra.drops, look.drops)


def test_blocks_that_networks_spoil_show_the_prediction(codec, frames, monkeypatch):
    """Nothing moves: a picture that is well coded stays what it is, however bad the networks."""
    still = [frames[0]] * 4
    header, coded = encode(codec, still, lmbda=2048)
    assert kinds(coded) == "IPPP"
    found = decode(codec, header, coded)
    errors = [np.square(pixels.astype(float) - frames[0]).mean() for pixels in found]
    assert errors == sorted(errors, reverse=True)
    maps = []
    original = inter_codec.encode_skips

    def watched(skips, previous, tables):
        maps.append((skips.copy(), previous))
        return original(skips, previous, tables)

    monkeypatch.setattr(inter_codec, "encode_skips", watched)
    encode(codec, still, lmbda=2048)
    (first, none), (second, after_first), _ = maps
    assert none is None
    assert first.shape == (8, 12)
    assert first.any()
    assert np.array_equal(after_first, first)
    assert np.array_equal(maps[2][1], second)


def test_finer_rounding_keeps_more(frames, monkeypatch):
    """What an encoder does where there is no more lambda; decoders need not know."""
    codec = PictureCodec("cpu")  # random networks would leave nothing near the dead zone
    _, plain = encode(codec, frames, lmbda=512, profile=Profile.HUMAN)
    monkeypatch.setattr(QualityHold, "finer", 3.0)
    header, finer = encode(codec, frames, lmbda=512, profile=Profile.HUMAN)
    assert kinds(finer) == "IPPPP"
    assert finer[0].payload == plain[0].payload
    assert len(finer[1].payload.coded) > len(plain[1].payload.coded)
    assert len(decode(codec, header, finer)) == COUNT  # each with the CRC of its symbols


@pytest.mark.parametrize("profile", [Profile.HUMAN, Profile.MACHINE])
def test_lambda_follows_falling_quality(frames, monkeypatch, profile):
    falling = iter(range(40, 0, -1))
    monkeypatch.setattr("wavenetmv.frame_coders.psnr", lambda *_: 0.3 * next(falling))
    _, coded = encode(PictureCodec("cpu"), [*frames, *frames[::-1]], profile=profile)
    used = [frame.lambda_index for frame in coded if frame.kind is PacketKind.INTER]
    assert len(used) == 2 * COUNT - 1
    assert used == sorted(used)
    assert used[-1] > used[0]


@pytest.mark.parametrize(("gop", "expected"), [(1, "IIIII"), (2, "IPIPI"), (3, "IPPIP")])
def test_gop(codec, frames, gop, expected):
    header, coded = encode(codec, frames, gop=gop)
    assert kinds(coded) == expected
    assert header.video.has_inter == (gop > 1)
    decode(codec, header, coded)


def test_intra_frames_of_long_groups_are_better(codec, frames):
    def indexes(**options):
        return [frame.lambda_index for frame in encode(codec, frames[:2], **options)[1]]

    assert indexes(lmbda=512, gop=1) == [192, 192]
    assert indexes(lmbda=512, gop=4) == [192 + 8, 192]
    assert indexes(lmbda=512, gop=32) == [192 + 19, 192]
    assert indexes(lmbda=2048, gop=64) == [320, 320]


def test_scene_cut_begins_a_group(codec, frames, monkeypatch):
    monkeypatch.undo()
    networks = codec.inter_frames_for(Profile.NEUTRAL)[0].model
    rng = np.random.default_rng(0)
    near = frames[1] + rng.normal(scale=2, size=frames[1].shape)
    far = rng.permutation(frames[1].ravel()).reshape(frames[1].shape)

    def helps(reference):
        pixels = torch.from_numpy(reference.clip(0, 255).astype(np.uint8))
        still = torch.zeros(1, 2, 8, 12, dtype=torch.int16)
        prediction = networks.predict(networks.padded(pixels), still)
        residual = networks.residual(networks.padded(torch.from_numpy(frames[1])), prediction)
        return networks.helps(residual, prediction, lambda_index=128)

    assert helps(near)
    assert not helps(far)
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", 0.0)
    assert kinds(encode(codec, frames)[1]) == "IIIII"


def test_inter_frame_needs_the_frame_before(codec, frames):
    header, coded = encode(codec, frames)
    decoder = VideoDecoder(codec, header, header.video)
    with pytest.raises(CorruptStream, match="without the frame before"):
        decoder.decode(coded[1])


def test_after_damage_only_an_intra_frame_decodes(codec, frames):
    header, coded = encode(codec, frames, gop=3)
    decoder = VideoDecoder(codec, header, header.video)
    decoder.decode(coded[0])
    broken = replace(coded[1].payload, symbols_crc=coded[1].payload.symbols_crc ^ 1)
    with pytest.raises(CorruptStream):
        decoder.decode(replace(coded[1], payload=broken))
    with pytest.raises(CorruptStream):
        decoder.decode(coded[2])
    expected = decode(codec, header, coded)
    assert np.array_equal(decoder.decode(coded[3]).pixels, expected[3])


def test_a_lost_frame_is_noticed(codec, frames):
    """The frame after it sees another past, and its symbols cannot be the encoder's."""
    header, coded = encode(codec, frames)
    decoder = VideoDecoder(codec, header, header.video)
    decoder.decode(coded[0])
    with pytest.raises(CorruptStream):
        decoder.decode(coded[2])


def test_every_flipped_byte_is_noticed(codec, frames):
    header, coded = encode(codec, frames[:2])
    data = coded[1].payload.coded
    for place in range(0, len(data), max(1, len(data) // 40)):
        flipped = bytearray(data)
        flipped[place] ^= 0x55
        decoder = VideoDecoder(codec, header, header.video)
        decoder.decode(coded[0])
        with pytest.raises(CorruptStream):
            decoder.decode(
                replace(coded[1], payload=replace(coded[1].payload, coded=bytes(flipped)))
            )


def test_groups_are_for_people_where_machines_have_a_profile_of_their_own(tmp_path, frames):
    weights = save_tiny(tmp_path, with_machine_profile(tiny_model()))
    codec = PictureCodec("cpu", weights=weights, inter_weights=save_tiny_inter(tmp_path))
    chosen = {
        (None, None): (Profile.HUMAN, GOP_DEFAULT),
        (None, 8): (Profile.HUMAN, 8),
        (None, 1): (None, 1),
        (Profile.HUMAN, None): (Profile.HUMAN, GOP_DEFAULT),
        (Profile.MACHINE, None): (Profile.MACHINE, 1),
        (Profile.MACHINE, 1): (Profile.MACHINE, 1),
    }
    assert {asked: choose_group(codec, *asked) for asked in chosen} == chosen
    with pytest.raises(UsageFault, match="serve human, not machine; choose gop 1"):
        encode(codec, frames, profile=Profile.MACHINE, gop=8)
    header, coded = encode(codec, frames)
    assert (kinds(coded), header.profile) == ("IPPPP", Profile.HUMAN)
    assert len(decode(codec, header, coded)) == COUNT
    header, coded = encode(codec, frames, gop=1)
    assert (kinds(coded), header.profile) == ("IIIII", Profile.MACHINE)


def test_inter_weights_of_two_profiles_serve_both_in_groups(tmp_path, frames):
    codec = PictureCodec(
        "cpu",
        weights=save_tiny(tmp_path, with_machine_profile(tiny_model())),
        inter_weights=save_tiny_inter(tmp_path, model=with_machine_profile(tiny_inter_model())),
    )
    sizes = {}
    for asked in (None, Profile.HUMAN):
        header, coded = encode(codec, frames, profile=asked, lmbda=1024)
        assert (kinds(coded), header.profile) == ("IPPPP", asked or Profile.MACHINE)
        shown = decode(codec, header, coded)
        assert len(shown) == COUNT
        sizes[header.profile] = sum(len(frame.payload.coded) for frame in coded)
    # Two octaves of lambda lower.
    assert sizes[Profile.MACHINE] < 0.9 * sizes[Profile.HUMAN]


def test_weights_for_one_profile_come_before_those_for_all(tmp_path, frames, monkeypatch):
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    both = with_machine_profile(tiny_inter_model())
    names = {
        "video": save_tiny_inter(tmp_path),
        "video-machine": save_tiny_inter(tmp_path, "video-machine", both),
    }
    codec = PictureCodec("cpu", weights=save_tiny(tmp_path, with_machine_profile(tiny_model())))
    wanted = {Profile.MACHINE: "video-machine", Profile.HUMAN: "video"}
    for profile, name in wanted.items():
        header, coded = encode(codec, frames, profile=profile)
        assert header.video.inter_hash == read_inter_info(names[name]).stream_hash
        assert (kinds(coded), header.profile) == ("IPPPP", profile)
        assert len(decode(codec, header, coded)) == COUNT
    header, _ = encode(codec, frames)
    assert header.profile == Profile.MACHINE


def test_intra_frames_of_long_groups_get_more_lambda_most_for_machines():
    people, machines = (
        [intra_bonus(gop, profile) for gop in (1, 2, 8, 32, 500)]
        for profile in (Profile.HUMAN, Profile.MACHINE)
    )
    assert people[0] == machines[0] == 0
    assert all(0 < a < b for a, b in zip(people[1:], machines[1:], strict=True))
    for bonus in (people, machines):
        assert bonus == sorted(bonus)
        assert bonus[3] == bonus[4] < 2 * LAMBDA_STEPS_PER_OCTAVE


def test_no_inter_weights(tmp_path, frames, monkeypatch):
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    codec = PictureCodec("cpu", weights=save_tiny(tmp_path))
    with pytest.raises(CheckpointError, match="gop 1"):
        encode(codec, frames, gop=8)
    header, coded = encode(codec, frames[:2])
    assert kinds(coded) == "II"
    assert len(decode(codec, header, coded)) == 2
    with pytest.raises(UsageFault, match="gop"):
        encode(codec, frames, gop=0)


def test_stream_names_its_inter_weights(codec, frames, tmp_path, monkeypatch):
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    header, coded = encode(codec, frames)
    other = PictureCodec("cpu", weights=save_tiny(tmp_path))
    with pytest.raises(CheckpointError, match=header.video.inter_hash.hex()):
        decode(other, header, coded)
    save_tiny_inter(tmp_path)
    assert len(decode(other, header, coded)) == COUNT


def test_weights_file_gives_back_the_trainable_model(tmp_path):
    model = tiny_inter_model()
    path = save_tiny_inter(tmp_path)
    restored = inter_model_from_weights(path)
    ours, theirs = export_entropy(model.entropy), export_entropy(restored.entropy)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert any("temporal" in key for key in ours)
    assert isinstance(restored, InterModel)
    assert load_inter_weights(path).info.name == "video"


def test_trainable_and_exact_networks_see_the_same_past(codec, tmp_path):
    """Fake quantisation of the temporal context is the exact network's arithmetic."""
    model = tiny_inter_model()
    model.entropy.set_fake_quant(True)
    exact = load_inter_weights(save_tiny_inter(tmp_path)).entropy
    generator = torch.Generator().manual_seed(0)
    integers = torch.randint(-511, 512, (1, 16, 8, 8), generator=generator).float()
    rough = torch.randint(0, 256, (1, 1, 8, 8), generator=generator).float()
    flag = torch.full((1, 1, 8, 8), 255.0)
    z_hat = torch.randint(-Z_MAX, Z_MAX, (1, 8, 2, 2), generator=generator).float()
    real = torch.cat([integers / 4, rough / 32, flag / 256], 1)
    with torch.no_grad():
        ours = model.entropy.h_s(z_hat, real) * 32
        theirs = exact.hyper(z_hat, torch.cat([integers, rough, flag], 1))
    assert torch.equal(ours.round(), theirs)
