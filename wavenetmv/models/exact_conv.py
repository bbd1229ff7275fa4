"""Convolutions in exact integer arithmetic: the shipped form, see `models.quantised`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.layout import channels_last
from wavenetmv.models.quantised import ACTIVATION_BITS, ACTIVATION_MAX, OUTPUT_BITS, OUTPUT_MAX


class ExactConv2d(nn.Module):
    """Integers in, integers out; see the docstring of `models.quantised`.

    weight    int8 [C_out, C_in, k, k]
    bias      int32 [C_out], rounding term included
    exponent  int8 [C_out]: the accumulator counts steps of 2^-exponent
    bytes_in  the input is an activation, 0..255: 8-bit arithmetic may compute the same sums
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, exponent: Tensor, hidden: bool, bytes_in: bool
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.padding = weight.shape[-1] // 2
        bits = ACTIVATION_BITS if hidden else OUTPUT_BITS
        self.register_buffer("weight", channels_last(weight.float()), persistent=False)
        self.register_buffer("bias", bias.float(), persistent=False)
        rescale = torch.exp2(bits - exponent.float())[:, None, None]
        self.register_buffer("rescale", rescale, persistent=False)
        self.weight: Tensor
        self.bias: Tensor
        self.rescale: Tensor
        self._byte_matmul = (
            ByteConv2d(weight, bias)
            if bytes_in and ByteConv2d.is_faster() and ByteConv2d.is_exact()
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        if self._byte_matmul is not None and x.device.type == "cpu":
            out = self._byte_matmul(x)
        else:
            out = F.conv2d(channels_last(x), self.weight, self.bias, padding=self.padding)
        out = out.mul_(self.rescale).floor_()
        if self.hidden:
            return out.clamp_(0, ACTIVATION_MAX)
        return out.clamp_(-OUTPUT_MAX, OUTPUT_MAX)


class ByteConv2d:
    """The sums of an `ExactConv2d` over inputs 0..255, from 8-bit products.

    Four times faster on processors that have instructions for it, 17 times slower on others.

    Sums of integers have one value however they are computed, so this may stand for the
    float convolution anywhere.  Inputs travel as x - 128; 128 * sum(weights) puts it right.
    """

    _STRIP_BYTES = 1 << 24  # of the matrix of all windows, which bounds the memory

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """weight int8 [C_out, C_in, k, k], k odd; bias int32 [C_out]."""
        self.kernel = weight.shape[-1]
        # Column-major: the layout that the matrix product likes best.
        self.matrix = weight.permute(0, 2, 3, 1).flatten(1).contiguous().t()
        self.bias = (bias + 128 * weight.int().sum((1, 2, 3))).to(torch.int32)

    def __call__(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W], integers 0..255 -> float32 [B, C_out, H, W], channels last."""
        B, C, H, W = x.shape
        if self.kernel == 1:
            flat = (x.permute(0, 2, 3, 1) - 128).to(torch.int8).reshape(-1, C)
            sums = torch._int_mm(flat, self.matrix).add_(self.bias)
            return sums.float().view(B, H, W, -1).permute(0, 3, 1, 2)
        k, pad = self.kernel, self.kernel // 2
        padded = torch.full((B, H + 2 * pad, W + 2 * pad, C), -128, dtype=torch.int8)
        padded[:, pad : pad + H, pad : pad + W] = x.permute(0, 2, 3, 1) - 128
        out = torch.empty(B, H, W, self.matrix.shape[1])
        rows = max(1, self._STRIP_BYTES // (W * k * k * C))
        for picture, result in zip(padded, out, strict=True):
            down, along, _ = picture.stride()
            for top in range(0, H, rows):
                strip = picture[top:]
                size = min(rows, H - top)
                # Overlapping windows: k rows of k neighbouring pixels with all channels.
                windows = strip.as_strided((size, W, k, k * C), (down, along, down, 1))
                sums = torch._int_mm(windows.reshape(size * W, k * k * C), self.matrix)
                result[top : top + size] = sums.add_(self.bias).view(size, W, -1)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @cache
    def is_faster() -> bool:
        """Whether a product of bytes takes less time here than one of floats.

        Without 8-bit instructions torch multiplies them one by one.  Measured, since what there is
        for which processor changes from build to build; the sums are the same either way.
        """
        if not hasattr(torch, "_int_mm"):
            return False
        a = torch.ones(128, 1152, dtype=torch.int8)
        b = torch.ones(192, 1152, dtype=torch.int8).t()
        a_float, b_float = a.float(), b.float()
        try:
            return _seconds(lambda: torch._int_mm(a, b)) < _seconds(lambda: a_float @ b_float)
        except RuntimeError:  # not built for this processor
            return False

    @staticmethod
    @cache
    def is_exact() -> bool:
        """Whether this build multiplies bytes exactly.

        Some kernels for older processors add pairs of products in 16 bits, which saturates
        with large operands; so the largest of both signs are tried, at several sizes.
        """
        if not hasattr(torch, "_int_mm"):
            return False
        generator = torch.Generator().manual_seed(0)
        for rows, depth, columns in ((64, 1728, 192), (384, 1152, 192), (7, 72, 8)):
            a = torch.randint(0, 2, (rows, depth), generator=generator) * 255 - 128
            b = torch.randint(0, 2, (depth, columns), generator=generator) * 254 - 127
            a[0], b[:, 0] = -128, -127
            a[1], b[:, 1] = 127, 127
            matrix = b.to(torch.int8).t().contiguous().t()
            try:
                found = torch._int_mm(a.to(torch.int8), matrix)
            except RuntimeError:  # not built for this processor
                return False
            if not torch.equal(found.double(), a.double() @ b.double()):
                return False
        return True


def _seconds(run: Callable[[], object]) -> float:
    """The shortest of a few runs."""
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best
