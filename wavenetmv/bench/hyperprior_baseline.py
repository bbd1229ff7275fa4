"""The scale hyperprior of CompressAI, trained on the same data for the same minutes.

    python -m wavenetmv.bench.hyperprior_baseline --data DIR --kodak DIR --out DIR [--minutes 30]

Row (g) of the ablation: one network for one lambda (512), CompressAI's `bmshj2018_hyperprior`
at its own widths for that rate, with the crops, the processor minutes, the bfloat16 and the
learning-rate decay that our networks get.  Rates are those of its own range coder.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wavenetmv.bench.pictures import load_folder
from wavenetmv.metrics import Pixels, bits_per_pixel, psnr
from wavenetmv.models.device import choose_dtype
from wavenetmv.training.cache import open_cache
from wavenetmv.training.objectives import DISTORTION_SCALE

_LAMBDA = 512.0
_BATCH, _CROP = 16, 192
_PEAK_RATE, _WARMUP_STEPS = 5e-4, 50


def train(data: list[Path], cache: Path, minutes: float, seed: int) -> Any:
    """A trained `ScaleHyperprior`, after `minutes` of processor time on one thread."""
    from compressai.zoo import bmshj2018_hyperprior

    torch.manual_seed(seed)
    model = bmshj2018_hyperprior(quality=4).train()
    quantiles = [p for name, p in model.named_parameters() if name.endswith(".quantiles")]
    others = [p for name, p in model.named_parameters() if not name.endswith(".quantiles")]
    optimizer = torch.optim.Adam(others, lr=_PEAK_RATE)
    auxiliary = torch.optim.Adam(quantiles, lr=1e-3)
    pictures = open_cache(data, cache, _CROP)
    rng = np.random.default_rng(seed)
    bfloat16 = choose_dtype("auto", torch.device("cpu")) is torch.bfloat16
    start, step = time.process_time(), 0
    while (share := (time.process_time() - start) / 60 / minutes) < 1:
        crops = pictures.crops(rng, _BATCH, _CROP)
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / _WARMUP_STEPS)
            group["lr"] = _PEAK_RATE * warm * (0.02 + 0.98 * _decay(share))
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = model(x)
        loss = _loss(output, x)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(others, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        model.aux_loss().backward()
        auxiliary.step()
        auxiliary.zero_grad(set_to_none=True)
        step += 1
        if step % 50 == 0:
            print(f"step {step}, {share:.0%}, loss {loss.item():.4f}", flush=True)
    model.eval().update(force=True)
    return model


def _decay(share: float) -> float:
    """Cosine from 30 percent of the run on, as in our stage 2b."""
    return 0.5 * (1 + math.cos(math.pi * max(0.0, (share - 0.3) / 0.7)))


def _loss(output: dict[str, Any], x: Tensor) -> Tensor:
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    bits = sum(-torch.log2(each.float()).sum() for each in output["likelihoods"].values())
    mse = (output["x_hat"].float() - x).square().mean()
    loss: Tensor = bits / pixels + _LAMBDA * DISTORTION_SCALE * mse
    return loss


@torch.inference_mode()
def measure(model: Any, pictures: dict[str, Pixels]) -> tuple[float, float]:
    """Mean bits per pixel and PSNR over pictures whose sides are multiples of 64."""
    rates, qualities = [], []
    for pixels in pictures.values():
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        coded = model.compress(x)
        x_hat = model.decompress(coded["strings"], coded["shape"])["x_hat"]
        values = (x_hat[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        size = sum(len(text) for strings in coded["strings"] for text in strings)
        rates.append(bits_per_pixel(size, pixels.shape[1], pixels.shape[0]))
        qualities.append(psnr(pixels, values))
    return float(np.mean(rates)), float(np.mean(qualities))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--kodak", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = train(arguments.data, arguments.out / "cache", arguments.minutes, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), arguments.out / "hyperprior.pt")
    bpp, quality = measure(model, load_folder(arguments.kodak))
    row = {"minutes": arguments.minutes, "lambda": _LAMBDA, "bpp": bpp, "psnr": quality}
    (arguments.out / "hyperprior.json").write_text(json.dumps(row))
    print(json.dumps(row))


if __name__ == "__main__":
    main()
