"""A second synthesis, for the machine profile: it draws what machines look for.

The one for people draws the mean of all pictures that the latents leave possible, and that is
blurred.  A detector finds less in it than a head finds in the same latents; and in a video all
frames of a group inherit those pixels (docs/decisions/0026).
"""

from __future__ import annotations

from torch import nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.post_filter import post_filter
from wavenetmv.models.transforms import SynthesisTransform


class MachineSynthesis(nn.Module):
    """g_s and post, the same networks as those of `CodecModel`, with weights of their own."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.g_s = SynthesisTransform(config)
        self.post = post_filter(config)


def machine_synthesis(config: ModelConfig) -> MachineSynthesis | None:
    """That of a model; with None pixels for machines are drawn like those for people."""
    return MachineSynthesis(config) if config.machine_synthesis else None
