"""The trainer on a tiny model and real photographs: reproducible, resumable, robust."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.heads import lively, save_cat_head, write_onnx
from tests.tiny import TINY, save_tiny, tiny_model
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.exact import export_entropy
from wavenetmv.models.registry import SEARCH_VARIABLE, read_head_info, read_info
from wavenetmv.training.batches import PictureBatches
from wavenetmv.training.cache import open_cache
from wavenetmv.training.export import load_checkpoint, model_from_weights
from wavenetmv.training.objectives import latent_rate_distortion, rate_distortion
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.stage_config import StageConfig
from wavenetmv.training.stages import read_settings
from wavenetmv.training.teachers import YoloxTeacher
from wavenetmv.training.trainer import CHECKPOINT, Trainer
from wavenetmv.training.wavelet import energy_compaction, laplacian_bits
from wavenetmv.types import Picture, Profile

QUICK = StageConfig(steps=6, batch=2, crop=64, lr=1e-3, warmup_steps=2, log_every=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    """Three crops of real photographs, one too small, one broken, one that is no picture."""
    path = tmp_path_factory.mktemp("pictures")
    for name in ("astronaut.png", "coffee.png", "chelsea.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 80, 260, 200)).save(path / name)
    Image.new("RGB", (40, 200)).save(path / "narrow.png")
    (path / "broken.png").write_bytes((path / "coffee.png").read_bytes()[:500])
    (path / "notes.txt").write_text("not a picture")
    return path


@pytest.fixture(scope="module")
def data(folder, tmp_path_factory):
    return open_cache([folder], tmp_path_factory.mktemp("cache"), 64)


def parameters(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def train(data, out, objective=rate_distortion, config=QUICK, seed=0, resume=False) -> Trainer:
    trainer = Trainer(tiny_model(seed), objective, config, PictureBatches(data), out)
    if resume:
        assert trainer.resume()
    trainer.run()
    return trainer


def interrupted_at(step, data, out) -> Trainer:
    """A trainer whose user presses Ctrl-C before the batch of that step is drawn."""

    class Interrupted(PictureBatches):
        def draw(self, *arguments):
            if trainer.step == step:
                raise KeyboardInterrupt
            return super().draw(*arguments)

    trainer = Trainer(tiny_model(), rate_distortion, QUICK, Interrupted(data), out)
    return trainer


def test_cache_decodes_once_and_counts_what_it_skips(folder, tmp_path):
    seen = []
    first = open_cache([folder], tmp_path, 64, lambda done, total: seen.append((done, total)))
    assert (len(first.pictures), first.skipped) == (3, 2)
    assert seen[-1] == (5, 5)
    again = open_cache([folder], tmp_path, 64, lambda done, total: pytest.fail("decoded again"))
    assert all(map(np.array_equal, first.pictures, again.pictures))
    crops = first.crops(np.random.default_rng(0), 8, 64)
    assert crops.shape == (8, 64, 64, 3)
    assert len({crop.tobytes() for crop in crops}) > 1
    with pytest.raises(UsageFault, match="no picture of at least 4000"):
        open_cache([folder], tmp_path, 4000)


def test_crops_may_be_shrunk(data):
    rng = np.random.default_rng(5)
    plain, shrunk = data.crops(rng, 40, 64), data.crops(rng, 40, 64, 0.5)
    assert shrunk.shape == plain.shape
    # What lay farther apart is nearer now: neighbours differ more.
    assert (
        np.abs(np.diff(shrunk.astype(int), axis=1)).mean()
        > 1.05 * np.abs(np.diff(plain.astype(int), axis=1)).mean()
    )
    assert data.crops(rng, 3, 120, 0.5).shape == (3, 120, 120, 3)  # no picture is larger


@pytest.mark.parametrize("objective", [energy_compaction, latent_rate_distortion, rate_distortion])
def test_every_objective_learns(data, tmp_path, objective):
    config = StageConfig(steps=30, batch=2, crop=64, lr=2e-3, warmup_steps=2, log_every=5)
    torch.manual_seed(0)
    model = CodecModel(TINY)
    if objective is not energy_compaction:
        model.load_state_dict(tiny_model().state_dict())
    before = loss_on_fixed_crops(model, objective, data)
    trainer = Trainer(model, objective, config, PictureBatches(data), tmp_path)
    trainer.run()
    assert loss_on_fixed_crops(model, objective, data) < before
    with (tmp_path / "log.csv").open() as source:
        assert [int(row["step"]) for row in csv.DictReader(source)] == list(range(5, 35, 5))
    assert trainer.rollbacks == 0


def loss_on_fixed_crops(model, objective, data) -> float:
    torch.manual_seed(7)
    crops = data.crops(np.random.default_rng(7), 24, 64)
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        return float(objective(model, x, torch.linspace(0, 5, 24)).loss)


def test_same_seed_gives_the_same_run_and_another_seed_does_not(data, tmp_path):
    first, second = (train(data, tmp_path / str(k)) for k in range(2))
    assert torch.equal(parameters(first.model), parameters(second.model))
    assert (tmp_path / "0" / "log.csv").read_text().splitlines()[0].startswith("step,minutes")
    other = Trainer(tiny_model(), rate_distortion, QUICK, PictureBatches(data), tmp_path / "other")
    other.rng = np.random.default_rng(99)
    other.run()
    assert not torch.equal(parameters(first.model), parameters(other.model))


def test_resuming_is_bit_exact(data, tmp_path):
    whole = train(data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(3, data, tmp_path / "parts").run()
    resumed = train(data, tmp_path / "parts", seed=5, resume=True)
    assert resumed.step == 6
    assert torch.equal(parameters(resumed.model), parameters(whole.model))
    assert torch.equal(parameters(resumed.ema), parameters(whole.ema))


def test_interruption_saves(data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(3, data, tmp_path).run()
    assert load_checkpoint(tmp_path / CHECKPOINT).config == TINY
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 3


def test_a_loss_that_is_no_number_steps_back_and_says_so(data, tmp_path):
    reports = []

    def poisoned(model, x, position):
        measures = rate_distortion(model, x, position)
        if trainer.step == 4 and not trainer.rollbacks:
            return type(measures)(measures.loss * float("nan"), 0.0, 0.0, 0.0)
        return measures

    trainer = Trainer(tiny_model(), poisoned, QUICK, PictureBatches(data), tmp_path, reports.append)
    trainer.run()
    assert trainer.rollbacks == 1
    assert {"step": 4, "rollback": 1} in reports
    assert torch.isfinite(parameters(trainer.model)).all()
    assert trainer.step == 6


def test_integers_are_simulated_from_the_given_share_on(data, tmp_path):
    config = StageConfig(steps=4, batch=2, crop=64, fake_quant_from=0.5)
    states = []

    def watching(model, x, position):
        states.append(model.entropy.fake_quant)
        return rate_distortion(model, x, position)

    Trainer(tiny_model(), watching, config, PictureBatches(data), tmp_path).run()
    assert states == [False, False, True, True]


def test_weights_alone_give_back_a_model_with_the_same_integers(tmp_path):
    model = model_from_weights(save_tiny(tmp_path))
    expected, found = export_entropy(tiny_model().entropy), export_entropy(model.entropy)
    for name, tensor in expected.items():
        if name.endswith(".weight"):
            scales = [
                torch.exp2(each[name.replace("weight", "exponent")].float())[:, None, None, None]
                for each in (expected, found)
            ]
            assert torch.equal(tensor / scales[0], found[name] / scales[1])
        elif name.endswith("z_index"):
            assert torch.equal(tensor, found[name])


def test_laplacian_bits_are_those_of_the_distribution():
    values = torch.distributions.Laplace(0.0, 3.0).sample((1, 1, 400, 400))
    counts = np.unique(torch.round(values).numpy(), return_counts=True)[1]
    entropy = -np.sum(counts / counts.sum() * np.log2(counts / counts.sum()))
    assert float(laplacian_bits(values).mean()) == pytest.approx(entropy, rel=0.03)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting"),
        ('{"model": {"Q": 1}}', "amiss"),
        ('{"stages": {"9": {}}}', "stage must be"),
        ('{"stages": {"2b": {"speed": 1}}}', "no setting"),
    ],
)
def test_bad_settings_are_refused(tmp_path, text, message):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(UsageFault, match=message):
        read_settings(path)


def command(*arguments: object) -> list[str]:
    return ["-m", "wavenetmv", "train", *map(str, arguments)]


@pytest.fixture
def tiny_settings(tmp_path):
    path = tmp_path / "tiny.json"
    stage = {"batch": 2, "crop": 64, "log_every": 1}
    stages = dict.fromkeys(("1", "2a", "2b", "2c"), stage)
    # What a run decides for itself may be said here too.
    stages["1"] = {**stage, "bfloat16": False, "seed": 5}
    path.write_text(json.dumps({"model": TINY.to_dict(), "stages": stages}))
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_all_stages_from_the_command_line_make_weights_that_code(folder, tmp_path, tiny_settings):
    options = ("--data", folder, "--out", tmp_path / "o", "--config", tiny_settings, "--steps", 12)
    result = run(*command(*options))
    assert result.returncode == 0, result.stderr
    weights = tmp_path / "o" / result.stdout.strip().rpartition("/")[2]
    codec = PictureCodec("cpu", weights=weights)
    pixels = np.full((30, 50, 3), 90, np.uint8)
    assert codec.decode(codec.encode(Picture(pixels))).pixels.shape == pixels.shape
    again = run(*command(*options))
    assert again.returncode == 2
    assert "--resume continues it" in again.stderr


def test_stage_2c_changes_nothing_but_the_filter(folder, tmp_path, tiny_settings, monkeypatch):
    start, out = save_tiny(tmp_path), tmp_path / "o"
    old_head = save_cat_head(tmp_path, start)
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    result = run(*command("--data", folder, "--out", out, "--config", tiny_settings,
                          "--stage", "2c", "--from", start, "--steps", 4))  # fmt: skip
    assert result.returncode == 0, result.stderr
    weights, head = (Path(line) for line in result.stdout.splitlines())
    assert load_file(head).keys() == load_file(old_head).keys()
    assert read_head_info(head).codec_hash == read_info(weights).stream_hash.hex()
    before, after = load_file(start), load_file(weights)
    learned = {name for name in after if name.startswith("post.")}
    assert any(bool(after[name].any()) for name in learned if name.startswith("post.last."))
    assert set(after) - learned == set(before)
    for name in before:
        assert torch.equal(before[name], after[name]), name
    codec = PictureCodec("cpu", weights=weights)
    pixels = np.full((30, 50, 3), 90, np.uint8)
    assert codec.decode(codec.encode(Picture(pixels))).pixels.shape == pixels.shape


def run_with_teacher(folder, tmp_path, monkeypatch, stage: str) -> tuple[Path, Path, list[Path]]:
    """A few steps from a codec of two profiles and its head: both files, and what was written."""
    pytest.importorskip("onnx", reason="teachers are ONNX files: extra train")
    start = save_tiny(tmp_path, with_machine_profile(tiny_model()))
    head = save_cat_head(tmp_path, start)
    teacher = write_onnx(tmp_path / "yolox.onnx", lively(YoloxTeacher()))
    settings = tmp_path / "tiny.json"
    settings.write_text(json.dumps({"stages": {stage: {"batch": 2, "crop": 64}}}))
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    heads = ("--head", head) if stage == "3d" else ()  # which 3c has no use for
    result = run(*command("--data", folder, "--out", tmp_path / "o", "--config", settings,
                          "--stage", stage, "--from", start, *heads, "--teacher", teacher,
                          "--steps", 4))  # fmt: skip
    assert result.returncode == 0, result.stderr
    return start, head, [Path(line) for line in result.stdout.splitlines()]


def test_stage_3c_changes_nothing_but_what_machines_are_shown(folder, tmp_path, monkeypatch):
    start, old_head, written = run_with_teacher(folder, tmp_path, monkeypatch, "3c")
    weights, head = written
    assert load_file(head).keys() == load_file(old_head).keys()
    before, after = load_file(start), load_file(weights)
    learned = {name for name in after if name.startswith("for_machines.")}
    assert set(after) - learned == set(before)
    for name in before:
        assert torch.equal(before[name], after[name]), name
    assert any(
        not torch.equal(after[name], before[name.removeprefix("for_machines.")]) for name in learned
    )
    old, new = (PictureCodec("cpu", weights=path) for path in (start, weights))
    pixels = np.full((30, 50, 3), (90, 30, 200), np.uint8)
    for profile in Profile.HUMAN, Profile.MACHINE:
        stream = new.encode(Picture(pixels), 512, profile)
        assert len(stream) == len(old.encode(Picture(pixels), 512, profile))
        assert new.decode(stream).pixels.shape == pixels.shape


def test_stage_3d_makes_one_more_head_for_the_same_streams(folder, tmp_path, monkeypatch):
    start, _, written = run_with_teacher(folder, tmp_path, monkeypatch, "3d")
    (head,) = (read_head_info(path) for path in written)
    assert head.decoded
    assert head.task == "detect"
    assert head.codec_hash == read_info(start).stream_hash.hex()


def test_a_wavelet_without_learned_steps_has_no_stage_1(folder, tmp_path):
    path = tmp_path / "plain.json"
    stage = {"batch": 2, "crop": 64}
    model = {**TINY.to_dict(), "lifting_hidden": [0, 0, 0]}
    stages = dict.fromkeys(("1", "2a", "2b", "2c"), stage)
    # What a run decides for itself may be said here too.
    stages["1"] = {**stage, "bfloat16": False, "seed": 5}
    path.write_text(json.dumps({"model": model, "stages": stages}))
    out = tmp_path / "o"
    result = run(*command("--data", folder, "--out", out, "--config", path, "--steps", 6))
    assert result.returncode == 0, result.stderr
    folders = sorted(each.name for each in out.iterdir() if each.is_dir())
    assert folders == ["2a", "2b", "2c", "cache"]


def test_models_have_names(tmp_path):
    base, _ = read_settings(None)
    small, _ = read_settings(None, "small")
    sizes = [sum(p.numel() for p in CodecModel(each).parameters()) for each in (base, small)]
    assert sizes[0] <= 12_000_000
    assert sizes[1] <= 4_900_000
    with pytest.raises(UsageFault, match="base or small"):
        read_settings(None, "huge")


def test_stage_3_wants_a_teacher(folder, tmp_path):
    result = run(*command("--data", folder, "--out", tmp_path / "o", "--stage", "3"))
    assert result.returncode == 2
    assert "--teacher" in result.stderr


@pytest.mark.parametrize("option", [("--for", "machine"), ("--inter", "video.inter.safetensors")])
def test_what_only_stage_video_takes_is_refused_elsewhere(folder, tmp_path, option):
    result = run(*command("--data", folder, "--out", tmp_path / "o", "--stage", "2b", *option))
    assert result.returncode == 2
    assert f"{option[0]} is for --stage video" in result.stderr


def test_two_processes_train_one_model(folder, tmp_path, tiny_settings):
    result = run(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        *command("--data", folder, "--out", tmp_path / "o", "--config", tiny_settings,
                 "--steps", 4, "--stage", "2b", "--threads", 1),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    log = (tmp_path / "o" / "2b" / "log.csv").read_text().splitlines()
    assert len(log) == 5
    assert len(list((tmp_path / "o").glob("base-*.safetensors"))) == 1
