"""Stage "video": sequences, and inter frames that learn on a tiny model."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from tests.heads import write_onnx
from tests.tiny import save_tiny, tiny_model
from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.io.video import VideoWriter
from wavenetmv.models.checkpoints import load_inter_weights
from wavenetmv.models.inter import InterModel
from wavenetmv.training import inter_tables
from wavenetmv.training.batches import PictureBatches
from wavenetmv.training.cache import open_cache
from wavenetmv.training.clips import SequenceSource, moved_still, open_clips
from wavenetmv.training.distributed import Group
from wavenetmv.training.export import load_checkpoint, load_inter_checkpoint
from wavenetmv.training.head_starts import start_detection
from wavenetmv.training.inter import inter_rate_distortion
from wavenetmv.training.objectives import rate_distortion
from wavenetmv.training.options import RunOptions
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.run import run
from wavenetmv.training.stage_config import StageConfig
from wavenetmv.training.streams import LiveStreams, longest_at
from wavenetmv.training.teachers import YoloxTeacher
from wavenetmv.training.trainer import CHECKPOINT, Trainer
from wavenetmv.types import Profile, VideoFrame, VideoInfo

SIDE, COUNT = 160, 6
QUICK = '{"stages": {"video": {"batch": 2, "crop": 64, "warmup_steps": 1, "log_every": 3}}}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    """A clip of a window that moves over a photograph, a cut one, and two stills."""
    path = tmp_path_factory.mktemp("material")
    with Image.open(photographs / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    with VideoWriter(path / "clip.mkv", VideoInfo(SIDE, SIDE, Fraction(10))) as writer:
        for n in range(COUNT):
            window = pixels[4 * n : 4 * n + SIDE, 6 * n : 6 * n + SIDE]
            writer.write(VideoFrame(window.copy(), Fraction(n, 10)))
    (path / "cut.mkv").write_bytes((path / "clip.mkv").read_bytes()[:700])
    for name in ("astronaut.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 80, 230, 210)).save(path / name)
    return path


@pytest.fixture(scope="module")
def source(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    clips, skipped = open_clips([folder], cache)
    assert skipped == 1
    return SequenceSource(clips, open_cache([folder], cache, 64), skipped=skipped)


def test_clips_are_halved_and_cached(folder, source, tmp_path):
    assert [clip.shape for clip in source.clips] == [(COUNT, SIDE // 2, SIDE // 2, 3)]
    seen = []
    first, _ = open_clips([folder], tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    again, _ = open_clips([folder], tmp_path, lambda done, total: seen.append((done, total)))
    assert len(seen) == 2
    assert np.array_equal(first[0], again[0])


def test_sequences_are_reproducible_and_move(source):
    for seed in range(6):
        first, again = (source.sequence(np.random.default_rng(seed), 64, 3) for _ in range(2))
        assert first.shape == (3, 64, 64, 3)
        assert np.array_equal(first, again)
        assert (np.abs(np.diff(first.astype(int), axis=0)).mean((1, 2, 3)) > 0).all()


def test_moved_stills_move_and_stay_pictures(source):
    rng = np.random.default_rng(2)
    for _ in range(5):
        frames = moved_still(rng, source.stills, 64, 4)
        assert frames.dtype == np.uint8
        differences = np.abs(np.diff(frames.astype(int), axis=0)).mean((1, 2, 3))
        assert differences.min() > 0.2
        assert differences.max() < 100


def test_a_long_sequence_stays_near_its_pictures(source):
    """Layers go there and back: the last frames are no mirrored borders."""
    frames = moved_still(np.random.default_rng(3), source.stills, 64, 60)
    assert frames.shape == (60, 64, 64, 3)
    assert np.abs(np.diff(frames.astype(int), axis=0)).mean((1, 2, 3)).max() < 100


def test_sequences_grow():
    assert [longest_at(share) for share in (0.0, 0.1, 0.2, 0.99)] == [4, 12, 12, 32]


def test_streams_are_coded_from_their_own_past(source):
    """What a step keeps is what the stream's next sample shows, one frame on."""
    streams = LiveStreams(source, tiny_model())
    rng = np.random.default_rng(0)
    config = StageConfig(steps=1, batch=2, crop=64)
    cpu = torch.device("cpu")
    kept: dict[int, tuple[torch.Tensor, float]] = {}
    followed = restarted = 0
    for _ in range(60):
        samples, positions = streams.draw(rng, config, 0.15, cpu)
        assert samples.frames.shape == samples.references.shape == (2, 3, 64, 64)
        assert (positions[1:] > positions[:-1]).all()
        state = streams.state_dict()["streams"]
        ids = [
            next(n for n, stream in enumerate(state) if stream["reference"] is not None
                 and torch.equal(stream["reference"].float() / 255, reference))
            for reference in samples.references
        ]  # fmt: skip
        for row, stream in enumerate(ids):
            if samples.after_intra[row]:
                restarted += stream in kept
                # Coded by a network that is untrained, but of the same sequence.
                assert state[stream]["age"] == 1
            else:
                followed += 1
                assert torch.equal(kept[stream][0], samples.references[row])
                assert kept[stream][1] == positions[row]
        shown = torch.rand(2, 3, 64, 64).mul(255).round().div(255)
        samples.keep(shown, samples.latents + 1)
        for row, stream in enumerate(ids):
            kept[stream] = (shown[row], float(positions[row]))
    assert followed > 60
    assert restarted


def test_a_stream_whose_frame_is_no_number_begins_anew(source):
    streams = LiveStreams(source, tiny_model())
    rng = np.random.default_rng(0)
    config = StageConfig(steps=1, batch=1, crop=64)
    for _ in range(12):
        samples, _ = streams.draw(rng, config, 0.9, torch.device("cpu"))
        assert samples.references.isfinite().all()
        assert samples.after_intra.all()
        samples.keep(torch.full_like(samples.frames, torch.nan), samples.latents)


def test_at_first_the_picture_codec_codes_the_residual(source):
    """Zero-initialised paths: with nothing to predict from, an inter frame is a picture."""
    pictures = tiny_model()
    model = InterModel.from_pictures(pictures)
    rng = np.random.default_rng(0)
    frames = np.stack([source.sequence(rng, 64, 1)[0] for _ in range(2)])
    x = torch.from_numpy(frames).movedim(-1, 1).float() / 255
    prediction = torch.full_like(x, 0.5)
    past = torch.randn(2, 18, 4, 4)
    position = torch.tensor([1.0, 4.0])
    with torch.no_grad():
        expected = pictures.eval()(x, position)
        found = model.eval()(x, prediction, past, position)
    assert torch.allclose(found.x_hat, expected.x_hat, atol=1e-4)
    assert torch.allclose(found.y_bits, expected.y_bits, rtol=1e-4)


def test_training_lowers_the_loss_and_resumes(source, tmp_path):
    config = StageConfig(steps=16, batch=4, crop=64, lr=4e-3, warmup_steps=2, log_every=4)
    pictures = tiny_model().requires_grad_(False)

    def trainer(folder):
        torch.manual_seed(0)
        model = InterModel.from_pictures(pictures)
        batches = LiveStreams(source, pictures)
        return Trainer(model, inter_rate_distortion, config, batches, tmp_path / folder)

    rows: list[dict[str, float]] = []
    whole = trainer("whole")
    whole.report = rows.append
    whole.run()
    assert rows[-1]["loss"] < rows[0]["loss"]
    half = trainer("half")
    while half.step < 6:
        half._one_step()
    half.save()
    resumed = trainer("half")
    assert resumed.resume()
    resumed.run()
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_other_processes_resume_with_streams_of_their_own(source, tmp_path):
    config = StageConfig(steps=1, batch=2, crop=64)
    pictures = tiny_model().requires_grad_(False)

    def trainer(group):
        model = InterModel.from_pictures(pictures)
        batches = LiveStreams(source, pictures)
        return Trainer(model, inter_rate_distortion, config, batches, tmp_path, group=group)

    trainer(Group()).run()
    leader, other = trainer(Group()), trainer(Group(rank=1))
    assert leader.resume()
    assert other.resume()
    assert len(leader.batches.state_dict()["streams"]) == 8
    assert other.batches.state_dict()["streams"] == []


def test_stage_video_of_a_run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(inter_tables, "_SEQUENCES", 3)
    start = save_tiny(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(QUICK)
    out = tmp_path / "out"

    def options(steps, **more):
        return RunOptions(
            data=[folder], out=out, stage="video", steps=steps, start=start, config=config, **more
        )

    (weights,) = run(options(2), lambda done, total: None, lambda stage, row: None)
    assert weights.name.startswith("video-")
    assert load_inter_weights(weights).config == tiny_model().config
    with pytest.raises(UsageFault, match="--resume"):
        run(options(2), lambda done, total: None, lambda stage, row: None)
    (more,) = run(options(4, resume=True), lambda done, total: None, lambda stage, row: None)
    assert more != weights
    continued = tmp_path / "continued"
    again = RunOptions(
        data=[folder], out=continued, stage="video", steps=1, start=start, inter=more, config=config
    )
    assert run(again, lambda done, total: None, lambda stage, row: None)[0].exists()


def test_what_a_video_run_refuses(folder, source, tmp_path):
    with pytest.raises(UsageFault, match="--from"):
        run(
            RunOptions(data=[folder], out=tmp_path, stage="video", steps=1),
            lambda done, total: None,
            lambda stage, row: None,
        )
    pictures = tiny_model()
    Trainer(
        pictures, rate_distortion, StageConfig(steps=1, crop=64),
        PictureBatches(open_cache([folder], tmp_path, 64)), tmp_path / "pictures",
    ).save()  # fmt: skip
    with pytest.raises(CheckpointError, match="not of inter frames"):
        load_inter_checkpoint(tmp_path / "pictures" / CHECKPOINT)
    Trainer(
        InterModel.from_pictures(pictures), inter_rate_distortion,
        StageConfig(steps=1, crop=64), LiveStreams(source, pictures), tmp_path / "inter",
    ).save()  # fmt: skip
    with pytest.raises(CheckpointError, match="of inter frames"):
        load_checkpoint(tmp_path / "inter" / CHECKPOINT)


def test_sequences_for_people_and_for_machines_take_turns(source):
    streams = LiveStreams(source, with_machine_profile(tiny_model()), range(2))
    config = StageConfig(steps=1, batch=4, crop=64)
    for _ in range(3):
        samples, _ = streams.draw(np.random.default_rng(0), config, 0.5, torch.device("cpu"))
        assert samples.block.tolist() == [0, 1, 0, 1]
        samples.keep(samples.frames, samples.latents)


def test_stage_video_for_machines(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(inter_tables, "_SEQUENCES", 2)
    pytest.importorskip("onnx", reason="teachers are ONNX files: extra train")
    torch.manual_seed(0)
    network = YoloxTeacher().eval()
    teacher = write_onnx(tmp_path / "yolox.onnx", network)
    config = tmp_path / "config.json"
    config.write_text(QUICK)

    def go(pictures, name, **more):
        start = tmp_path / f"{name}.pt"
        torch.save({**pictures.describe(), "ema": pictures.state_dict()}, start)
        rows = []
        options = RunOptions(
            data=[folder], out=tmp_path / name, stage="video", steps=6, start=start, config=config,
            **more,
        )  # fmt: skip
        weights = run(options, lambda done, total: None, lambda stage, row: rows.append(row))
        return weights[0], rows

    plain = tiny_model()
    with pytest.raises(UsageFault, match="no machine profile"):
        go(plain, "plain", teacher=teacher)
    pictures = with_machine_profile(plain)
    with pytest.raises(UsageFault, match="--head"):
        go(pictures, "headless", teacher=teacher)
    alone, _ = go(pictures, "for-people", profile=Profile.HUMAN)
    assert alone.name.startswith("video-human-")
    assert load_inter_weights(alone).config.profiles == 1
    pictures.heads["detect"] = start_detection(pictures, network, coarse=16, fine=16)
    weights, rows = go(pictures, "for-both", teacher=teacher, inter=alone)
    assert load_inter_weights(weights).config.profiles == 2
    assert rows[-1]["feature_error"] > 0
    weights, rows = go(
        pictures, "for-machines", teacher=teacher, inter=alone, profile=Profile.MACHINE
    )
    assert weights.name.startswith("video-machine-")
    assert rows[-1]["feature_error"] > 0
    with pytest.raises(UsageFault, match="--teacher"):
        go(pictures, "no-machine", profile=Profile.MACHINE)
    with pytest.raises(UsageFault, match="--teacher"):
        go(pictures, "no-teacher", inter=weights)
