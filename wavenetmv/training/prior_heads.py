"""A head that reads the latents of one codec, made to read those of another.

Codecs that grew from the same wavelet have latents that are nearly linear in each other: their
transforms are linear paths to which residual blocks add a little.  So least squares say what
the old latents would have been, and the first layer of the head takes that in: a new codec
need not teach its head from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.head_checkpoints import load_head
from wavenetmv.models.heads import Head, build_head
from wavenetmv.models.registry import ModelId, find_weights, read_head_info
from wavenetmv.training.export import model_from_weights

_RIDGE = 1e-6  # of the mean energy: keeps channels that are always zero from exploding


@dataclass(frozen=True)
class PriorHead:
    """A head and the codec whose latents it reads."""

    head: Head
    codec: CodecModel

    @torch.no_grad()
    def fitted(self, model: CodecModel, pictures: Iterable[Tensor]) -> Head:
        """The head for `model`'s latents, fitted on pictures [B, 3, H, W] in [0, 1]."""
        M = model.config.M
        if self.codec.config.M != M:
            raise CheckpointError(
                f"a head for {self.codec.config.M} latent channels, the codec has {M}"
            )
        device = next(model.parameters()).device
        energy = torch.zeros(M, M, dtype=torch.float64)
        product = torch.zeros_like(energy)
        positions = 0
        for x in pictures:
            old, new = (_rows(each, x.to(device)) for each in (self.codec.to(device), model))
            energy += new.T @ new
            product += old.T @ new
            positions += len(new)
        ridge = _RIDGE * energy.diag().mean() * torch.eye(M, dtype=torch.float64)
        change = torch.linalg.solve(energy + ridge, product, left=False)
        head = build_head(self.head.task, **self.head.config())
        head.load_state_dict(self.head.state_dict())
        head.adapter.follow(change.float(), (energy.diag() / positions).sqrt().float())
        return head


def load_prior_head(path: Path, task: str) -> PriorHead:
    """A head file, and the weights it was made for from where streams find theirs.

    Raises CheckpointError when one is missing or damaged, UsageFault for another task's head.
    """
    info = read_head_info(path)
    if info.task != task:
        raise UsageFault(f"{path}: a head for task {info.task}, not {task}")
    try:
        codec = find_weights(ModelId.WAVELET_CONTEXT, bytes.fromhex(info.codec_hash))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: made for other weights: {error}") from error
    return PriorHead(load_head(info), model_from_weights(codec.path).requires_grad_(False))


def _rows(model: CodecModel, x: Tensor) -> Tensor:
    """Latents of pictures as rows [positions, M], float64."""
    return model.analysis(x).movedim(1, -1).flatten(0, 2).double().cpu()
