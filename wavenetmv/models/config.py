"""Shape of a model: everything that is needed to build it, stored with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from wavenetmv.types import Profile

# What weights of before these fields had, and are read with.
_LATER_FIELDS = {"profiles": 1, "post_width": 0, "machine_synthesis": False}
# Left out where they say nothing: files of before keep their hash.
_NEWEST_FIELDS = ("post_width", "machine_synthesis")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Channel widths and block counts; capitals are the field's habit (STYLE glossary).

    "fine" is H/8, the resolution of the packet coefficients; "coarse" is H/16, that of
    the latents.
    """

    M: int = 256  # channels of y
    N: int = 128  # channels of z
    base: str = "bior4.4"  # PyWavelets name of the base wavelet
    lifting_hidden: tuple[int, ...] = (0, 0, 0)  # predict/update width per level, 0 = none
    fine_width: int = 128
    fine_blocks_analysis: int = 0
    fine_blocks_synthesis: int = 2
    coarse_width: int = 192
    coarse_blocks_analysis: int = 2
    coarse_blocks_synthesis: int = 3
    adamix_filters: int = 1  # 0 = no block there, 1 = a plain one, more = a mixture
    adamix_width: int = 96
    context_width: int = 192
    profiles: int = 1  # 1: neutral; 2: human and machine, models/gains.py
    post_width: int = 0  # of the filter on decoded pixels, models/post_filter.py; 0 = none
    machine_synthesis: bool = False  # machines have one of their own, models/machine_synthesis.py

    @property
    def packet_channels(self) -> int:
        return 3 << 2 * len(self.lifting_hidden)

    @property
    def latent_factor(self) -> int:
        """Pixels per latent along a side."""
        return 1 << len(self.lifting_hidden) + 1

    @property
    def downsampling_factor(self) -> int:
        """Pixels per hyper-latent along a side; pictures are padded to its multiple."""
        return 4 * self.latent_factor

    @property
    def default_profile(self) -> Profile:
        return Profile.NEUTRAL if self.profiles == 1 else Profile.MACHINE

    def block_of(self, profile: Profile) -> int:
        """Which six rows of gains and of z's scale indexes serve a profile.

        Raises ValueError if the model does not know it.
        """
        known = {1: (Profile.NEUTRAL,), 2: (Profile.HUMAN, Profile.MACHINE)}[self.profiles]
        if profile not in known:
            names = " and ".join(each.name.lower() for each in known)
            raise ValueError(f"these weights serve {names}, not {profile.name.lower()}")
        return known.index(profile)

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        return {
            name: value for name, value in values.items() if value or name not in _NEWEST_FIELDS
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Raises ValueError on unknown or missing fields, but for those of `_LATER_FIELDS`."""
        names = {f.name for f in fields(cls)}
        values = {**_LATER_FIELDS, **values}
        if set(values) != names:
            raise ValueError(f"model configuration has fields {sorted(set(values) ^ names)} amiss")
        if values["profiles"] not in (1, 2):
            raise ValueError(f"profiles must be 1 or 2, got {values['profiles']}")
        if values["machine_synthesis"] and values["profiles"] == 1:
            raise ValueError("a synthesis for machines needs their profile: profiles must be 2")
        hidden = tuple(int(width) for width in values["lifting_hidden"])
        return cls(**{**values, "lifting_hidden": hidden})


# What `wmv train --model` knows; the name becomes that of the weights.
PRESETS = {
    "base": ModelConfig(),
    "small": ModelConfig(
        M=192, N=96, fine_width=96, coarse_width=128, coarse_blocks_analysis=1,
        coarse_blocks_synthesis=2, adamix_width=64, context_width=128,
    ),
}  # fmt: skip
