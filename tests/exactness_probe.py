"""Run by test_exactness.py in processes with other instruction sets, threads, layouts.

Prints one hash over everything that must not depend on them, with the shipped weights:
bytes coded from fixed latents, and integers decoded from those bytes.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import torch

from wavenetmv.bitstream import ScaleTables, encode_steps
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.models.registry import default_weights


def main(threads: int, layout: torch.memory_format, onednn: bool) -> None:
    torch.set_num_threads(threads)
    torch.backends.mkldnn.set_flags(onednn)
    model = load_weights(default_weights().path)
    entropy = model.entropy
    for module in entropy.modules():
        if hasattr(module, "rescale"):
            module.weight = module.weight.contiguous(memory_format=layout)
    tables = ScaleTables.from_arrays(model.table_radii.numpy(), model.table_frequencies.numpy())
    digest = hashlib.sha256()
    rng = np.random.default_rng(5)
    h, w = 24, 16
    spread = np.exp(rng.normal(-1.0, 1.5, (1, model.config.M, 1, 1)))
    for lambda_index in (0, 150, 320):
        # Sixteenths that float32 holds exactly: the same latents for everybody.
        y = np.round(rng.normal(size=(1, model.config.M, h, w)) * spread * 64) / 64
        z = np.round(rng.normal(size=(1, model.config.N, h // 4, w // 4)) * 2)
        quantise = Quantise(*(torch.from_numpy(part).float() for part in (y, z)))
        sixteenths = walk(entropy, (h, w), lambda_index, quantise)
        steps = [(symbols.numpy(), indexes.numpy(), tables) for symbols, indexes in quantise.coded]
        digest.update(encode_steps(steps))
        digest.update(sixteenths.to(torch.int32).contiguous().numpy().tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    main(int(sys.argv[1]), layouts[sys.argv[2]], sys.argv[3] == "onednn")
