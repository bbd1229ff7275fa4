"""One inter frame, pixels to payload and back, given the frame before.

pixels, Past -> motion -> prediction -> latents -> InterAttempt: latents.walk(Quantise)
             -> synthesise -> skips; the best one -> ANS -> FramePayload
FramePayload, Past -> quality map -> motion -> skips -> prediction -> latents.walk(Dequantise)
                   -> synthesise -> pixels

The payload's symbols are those of the quality map, if there is one, of the motion field, of the
skipped blocks, of the latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    FramePayload,
    MotionField,
    QualityMap,
    ScaleTables,
    SkipMap,
    Step,
    SymbolDecoder,
    decode_quality_map,
    decode_skips,
    encode_quality_map,
    encode_skips,
    encode_steps,
    symbols_crc,
)
from wavenetmv.frame_codec import (
    Dequantise,
    FrameCodec,
    Latents,
    Look,
    bits_of,
    coded_by,
    enough_memory,
    shared_tensor,
    shifted,
)
from wavenetmv.models.checkpoints import LoadedInterModel
from wavenetmv.models.dead_zone import dead_zone_of, rescaled
from wavenetmv.models.inter_inference import InterInferenceModel, Prediction, Reference
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.motion_estimation import find_motion
from wavenetmv.types import Profile

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Past:
    """What the next frame is coded from; the same in encoder and decoder.

    reference  the last decoded frame
    activity   of its motion field, `MotionField.activity`; None if it is an intra frame
    skips      its skipped blocks; None likewise
    drops      its quality map; None where frames have none
    """

    reference: Reference
    activity: npt.NDArray[np.int32] | None = None
    skips: SkipMap | None = None
    drops: QualityMap | None = None

    @classmethod
    def of_intra(cls, pixels: Pixels, latents: Latents) -> Past:
        """After an intra frame: decoded pixels uint8 [H, W, 3] and what it was decoded from."""
        reference = Reference(shared_tensor(pixels), latents.integers, intra=True)
        return cls(reference, drops=latents.drops)

    @property
    def pixels(self) -> Pixels:
        pixels: Pixels = self.reference.pixels.numpy()
        return pixels


@dataclass(frozen=True, eq=False)
class EncodedInter:
    """A coded inter frame: what is sent, and the next frame's past."""

    payload: FramePayload
    past: Past


@dataclass(frozen=True, eq=False)
class _Start:
    """What is known of a frame before its latents are rounded; `seen` by the entropy model."""

    past: Past
    x: Tensor
    motion: Tensor
    prediction: Prediction
    seen: Tensor
    y: Tensor
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class InterAttempt:
    """An inter frame as it would be coded, a `frame_codec.Codable`.

    coded   symbols and indexes of z, and of the four steps of y
    shown   the decoded frame, uint8 [H, W, 3]
    seen_by the picture codec by whose analysis heads see it, if any do
    """

    codec: InterFrameCodec
    start: _Start
    lambda_index: int
    drops: QualityMap | None
    integers: Tensor
    coded: Sequence[Step]
    skips: Tensor
    shown: Tensor
    seen_by: FrameCodec | None

    def y_hat(self) -> Tensor:
        assert self.seen_by is not None
        return self.seen_by.seen(self.shown.numpy())

    def bits(self) -> float:
        return bits_of(self.coded)

    def steps(self) -> Tensor:
        return self.codec.model.steps(self.integers)

    def pull_back(self, gradient: Tensor) -> Tensor:
        assert self.seen_by is not None
        model = self.codec.model
        sizes = model.step_sizes(self.lambda_index, self.codec.block, self.drops)
        by_pixels = self.seen_by.seen_gradient(self.shown.numpy(), gradient)
        y_hat = self.steps() * sizes
        return model.synthesis_gradient(y_hat, self.start.prediction, self.skips, by_pixels) * sizes

    def encoded(self) -> EncodedInter:
        tables, past = self.codec.tables, self.start.past
        h, w = self.integers.shape[2:]
        field = MotionField(h, w, past.activity)
        drops, skips = self.drops, self.skips[0, 0].cpu().numpy()
        steps = [] if drops is None else encode_quality_map(drops, tables, past.drops)
        steps += field.encode(self.start.motion[0].cpu().numpy(), self.codec.motion_tables)
        steps += encode_skips(skips, past.skips, self.codec.skip_tables)
        steps += self.coded
        payload = FramePayload(symbols_crc(step[0] for step in steps), encode_steps(steps))
        reference = Reference(self.shown, self.integers, intra=False)
        return EncodedInter(payload, Past(reference, field.activity, skips, drops))


@dataclass(frozen=True)
class InterFrameCodec:
    """Codes frames from the one before. Safe to use from several threads.

    tables, dead_zone  of latents, as in `FrameCodec`
    motion_tables      of motion vectors
    skip_tables        of skipped blocks
    block              which profile's gains and tables serve
    """

    model: InterInferenceModel
    tables: ScaleTables
    motion_tables: ScaleTables
    skip_tables: ScaleTables
    dead_zone: Tensor
    block: int = 0

    @classmethod
    def load(
        cls, weights: LoadedInterModel, device: torch.device, dtype: torch.dtype, rd_slope: float
    ) -> InterFrameCodec:
        """Put `weights` on a device; the other arguments are `PictureCodec`'s."""
        tables, motion_tables, skip_tables = (
            ScaleTables.from_arrays(radii.numpy(), frequencies.numpy())
            for radii, frequencies in (
                (weights.table_radii, weights.table_frequencies),
                (weights.motion_radii, weights.motion_frequencies),
                (weights.skip_radii, weights.skip_frequencies),
            )
        )
        cost_bits = torch.from_numpy(tables.step_cost_bits()).float()
        dead_zone = dead_zone_of(cost_bits, rd_slope).to(device)
        model = InterInferenceModel(weights, device, dtype)
        return cls(model, tables, motion_tables, skip_tables, dead_zone)

    def serving(self, profile: Profile) -> InterFrameCodec:
        """The same for `profile`; weights of one profile serve all."""
        if self.model.config.profiles == 1:
            return self
        return replace(self, block=self.model.config.block_of(profile))

    def encode(
        self,
        pixels: Pixels,
        past: Past,
        lambda_index: int,
        look: Look | None = None,
        finer: float = 0.0,
        seen_by: FrameCodec | None = None,
    ) -> EncodedInter | None:
        """pixels uint8 [H, W, 3], `lambda_index` in 0..320.

        `look` is for frames with quality maps, and `past` has one too then.  `finer`: rounding
        values errors by so many octaves more than lambda says.  `seen_by`: by whose analysis heads
        see frames, for a look that searches.  None if the frame before is of no use for this one,
        as after a scene cut.
        """
        drops, leniency = (None, None) if look is None else (look.drops, look.leniency)
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            start = self._start(pixels, past, lambda_index, drops)
            if start is None:
                return None
            attempts = self._attempts(start, lambda_index, drops, leniency, finer, seen_by)
            if look is None or look.search_of is None or seen_by is None:
                return attempts(None).encoded()
            search = look.search_of(seen_by.seen(pixels), True)
            return search(lambda_index, attempts).encoded()

    def _start(
        self, pixels: Pixels, past: Past, lambda_index: int, drops: QualityMap | None
    ) -> _Start | None:
        """What attempts share; None as of `encode`."""
        model = self.model
        x, reference = model.padded(shared_tensor(pixels)), model.padded(past.reference.pixels)
        motion = find_motion(x, reference, lambda_index, self.block, drops)
        prediction = model.predict(reference, motion)
        residual = model.residual(x, prediction)
        if not model.helps(residual, prediction, lambda_index):
            return None
        y = model.latents(residual, prediction)
        size = (pixels.shape[0], pixels.shape[1])
        return _Start(past, x, motion, prediction, model.past(past.reference, motion), y, size)

    def _attempts(
        self,
        start: _Start,
        lambda_index: int,
        drops: QualityMap | None,
        leniency: Tensor | None,
        finer: float,
        seen_by: FrameCodec | None,
    ) -> Callable[[Tensor | None], InterAttempt]:
        """To code the frame; arguments as for `encode`."""
        model, prediction = self.model, start.prediction
        y, z = model.quantisable(start.y, lambda_index, self.block, drops)
        dead_zone = rescaled(self.dead_zone, 2.0**-finer) if finer else self.dead_zone
        size = (y.shape[2], y.shape[3])

        def attempt(shift: Tensor | None) -> InterAttempt:
            quantise = Quantise(shifted(y, shift), z, dead_zone, leniency)
            integers = walk(model.entropy, size, lambda_index, quantise, self.block, start.seen)
            x_hat = self._synthesise(integers, prediction, lambda_index, drops)
            skips = model.choose_skips(start.x, prediction, x_hat, lambda_index, self.block)
            shown = model.shown(x_hat, prediction, skips, *start.size)
            coded = coded_by(quantise, self.tables)
            return InterAttempt(
                self, start, lambda_index, drops, integers, coded, skips, shown, seen_by
            )

        return attempt

    def decode(
        self, payload: FramePayload, past: Past, height: int, width: int, lambda_index: int
    ) -> Past:
        """The decoded frame, as the next one's past. Raises CorruptStream."""
        model = self.model
        decoder = SymbolDecoder(payload.coded, self.tables)
        size = model.latent_size(height, width)
        drops, symbols = None, list[npt.NDArray[np.int32]]()
        if past.drops is not None:
            cells = past.drops.shape
            drops, symbols = decode_quality_map(decoder, cells, self.tables, past.drops)
        field = MotionField(*size, past.activity)
        symbols += field.decode(decoder, self.motion_tables)
        skip_map, more = decode_skips(decoder, size, past.skips, self.skip_tables)
        symbols += more
        dequantise = Dequantise(decoder, model.device, symbols)
        with enough_memory(height, width):
            motion = torch.from_numpy(field.vectors)[None].to(model.device)
            seen = model.past(past.reference, motion)
            integers = walk(model.entropy, size, lambda_index, dequantise, self.block, seen)
            dequantise.finish(payload.symbols_crc)
            prediction = model.predict(model.padded(past.reference.pixels), motion)
            x_hat = self._synthesise(integers, prediction, lambda_index, drops)
            skips = torch.from_numpy(skip_map)[None, None].to(model.device)
            decoded = model.shown(x_hat, prediction, skips, height, width)
        return Past(Reference(decoded, integers, intra=False), field.activity, skip_map, drops)

    def _synthesise(
        self,
        integers: Tensor,
        prediction: Prediction,
        lambda_index: int,
        drops: QualityMap | None,
    ) -> Tensor:
        y_hat = self.model.dequantise(integers, lambda_index, self.block, drops)
        return self.model.synthesise(y_hat, prediction)
