"""A loaded inter model on a device: frame and prediction to latents, and back to a frame.

What follows the decoded frames is a `Reference`: 8-bit pixels, which are floating-point
results rounded and may differ in rare values between machines, and integers, which never do.
Only the integers reach the entropy model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavenetmv.models import skip
from wavenetmv.models.checkpoints import LoadedInterModel
from wavenetmv.models.exact import as_context
from wavenetmv.models.inference import Networks
from wavenetmv.models.layout import planes_first, to_pixels
from wavenetmv.models.motion import compensate, follow, price_of_a_bit, roughness
from wavenetmv.types import index_to_lambda

_STEP = 14 / 255  # of a quantiser at lambda 512, for a guess at the bits
_WORTHWHILE = 0.95


@dataclass(frozen=True)
class Reference:
    """A decoded frame, as the next one is coded from it.

    pixels        uint8 [H, W, 3]
    y_sixteenths  its latents, float32 integers [1, M, h, w]
    intra         it is an intra frame
    """

    pixels: Tensor
    y_sixteenths: Tensor
    intra: bool


@dataclass(frozen=True)
class Prediction:
    """What motion makes of the frame before.

    pixels  [1, 3, H', W'] in [0, 1], sides padded to multiples of 64
    packet  [1, P, H'/8, W'/8], their coefficients
    seen    the same as convolutions like it, `Networks.cast`
    """

    pixels: Tensor
    packet: Tensor
    seen: Tensor


class InterInferenceModel(Networks):
    """Networks of inter frames on one device. Safe to use from several threads."""

    def __init__(self, model: LoadedInterModel, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(model, device, dtype)
        self.g_a, self.g_s = model.g_a, model.g_s

    @torch.inference_mode()
    def padded(self, pixels: Tensor) -> Tensor:
        """uint8 [H, W, 3] -> [1, 3, H', W'] in [0, 1], edges repeated to multiples of 64."""
        height, width = pixels.shape[:2]
        factor = self.config.downsampling_factor
        size = (1, 3, height + -height % factor, width + -width % factor)
        # A conversion and `F.pad` after it would take twice as long.
        x = torch.empty(size, device=self.device)
        x[0, :, :height, :width] = pixels.to(self.device).permute(2, 0, 1)
        x[..., :height, width:] = x[..., :height, width - 1 : width]
        x[..., height:, :] = x[..., height - 1 : height, :]
        return x.div_(255)

    @torch.inference_mode()
    def predict(self, reference: Tensor, motion: Tensor) -> Prediction:
        """What `motion` makes of the frame before, `padded`."""
        pixels = compensate(reference, motion).clamp_(0, 1)
        packet = self.lifting(pixels - 0.5)
        return Prediction(pixels, packet, self.cast(packet))

    @torch.inference_mode()
    def past(self, reference: Reference, motion: Tensor) -> Tensor:
        """The integers that the entropy model sees of the past, float32 [1, M + 2, h, w]."""
        latents = follow(as_context(reference.y_sixteenths), motion)
        rough = roughness(motion)
        flag = torch.full_like(rough, 255 if reference.intra else 0)
        return torch.cat([latents, rough, flag], 1)

    @torch.inference_mode()
    def residual(self, x: Tensor, prediction: Prediction) -> Tensor:
        """Packet [1, P, H'/8, W'/8] of what `prediction` leaves of x, `padded`."""
        residual: Tensor = self.lifting(x - prediction.pixels)
        return residual

    @torch.inference_mode()
    def helps(self, residual: Tensor, prediction: Prediction, lambda_index: int) -> bool:
        """Whether a frame's `residual` is easier to code than the frame alone."""
        step = _STEP * (512 / index_to_lambda(lambda_index)) ** 0.5

        def cost(packet: Tensor) -> float:
            """About its bits, from the energies of every second row of coefficients."""
            return float(torch.log2(1 + (packet[:, :, ::2] / step).square()).sum())

        # The wavelet is linear, or nearly so where it was trained.
        return cost(residual) < _WORTHWHILE * cost(residual + prediction.packet)

    @torch.inference_mode()
    def latents(self, residual: Tensor, prediction: Prediction) -> Tensor:
        """-> y [1, M, h, w], float32, no gain."""
        y: Tensor = self.g_a(self.cast(residual), prediction.seen).float()
        return y

    @torch.inference_mode()
    def synthesise(self, y_hat: Tensor, prediction: Prediction) -> Tensor:
        """y_hat [1, M, h, w] from `dequantise` -> x_hat [1, 3, H', W'], not clamped."""
        change = planes_first(self.g_s(self.cast(y_hat), prediction.seen))
        x_hat: Tensor = prediction.pixels + self.lifting.inverse(change)
        return x_hat

    def synthesis_gradient(
        self, y_hat: Tensor, prediction: Prediction, skips: Tensor, gradient: Tensor
    ) -> Tensor:
        """Gradient of anything by what is shown, [1, 3, H, W] for values in 0..1 -> the same by
        y_hat [1, M, h, w] of `synthesise`, float32."""
        height, width = gradient.shape[2:]
        wanted = torch.zeros_like(prediction.pixels)
        wanted[..., :height, :width] = gradient
        wanted = skip.apply(skips, torch.zeros_like(wanted), wanted)
        with torch.inference_mode(False), torch.enable_grad():
            leaf = self.cast(y_hat.clone()).requires_grad_()
            packet = planes_first(self.g_s(leaf, prediction.seen.clone()))
            x_hat = self.lifting.inverse(packet)
            (found,) = torch.autograd.grad(x_hat, leaf, wanted.clone())
        return found.float()

    @torch.inference_mode()
    def choose_skips(
        self,
        x: Tensor,
        prediction: Prediction,
        x_hat: Tensor,
        lambda_index: int,
        block: int = 0,
    ) -> Tensor:
        """Blocks of x, `padded`, that the prediction shows better: bool [1, 1, h, w]."""
        price = price_of_a_bit(index_to_lambda(lambda_index), block)
        return skip.choose(x, prediction.pixels, x_hat, price)

    @torch.inference_mode()
    def shown(
        self, x_hat: Tensor, prediction: Prediction, skips: Tensor, height: int, width: int
    ) -> Tensor:
        """The decoded frame, uint8 [height, width, 3]."""
        pixels = skip.apply(skips, prediction.pixels, x_hat)[0, :, :height, :width]
        return to_pixels(pixels).cpu()
