"""Where and in which precision the floating-point networks run."""

from __future__ import annotations

import torch

from wavenetmv.errors import UsageFault

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def choose_device(name: str) -> torch.device:
    """ "auto" is a GPU if torch sees one. Raises UsageFault if the device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageFault(f"device {name!r} is not available: {reason}") from error
    return device


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """ "auto" is bfloat16 where it is faster than float32. Raises UsageFault if unknown."""
    if precision in PRECISIONS:
        return PRECISIONS[precision]
    if precision != "auto":
        raise UsageFault(f"precision must be auto, {' or '.join(PRECISIONS)}, got {precision!r}")
    return torch.bfloat16 if _has_fast_bfloat16(device) else torch.float32


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    # Without these instructions torch emulates bfloat16, slower than float32.  The probes
    # are private to torch, so a version without them means float32, which always works.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
