"""Muon for convolution kernels, AdamW for everything else, behind one `step`.

torch's Muon takes matrices only, so each kernel [C_out, C_in, k, k] gets a matrix view
[C_out, C_in k k] that shares its memory (each filter of an AdaMix kernel one of its own).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Below this side a kernel is no hidden-layer matrix, and Adam does better.
_MUON_MIN_SIDE = 32


class Optimizer:
    """`lr` of both is set per step; AdamW's is `adam_factor` times Muon's.

    bfloat16  Muon orthogonalises in it, for machines that are fast at it; else in float32
    """

    def __init__(
        self,
        model: nn.Module,
        muon: bool = True,
        adam_factor: float = 2.0,
        bfloat16: bool = False,
    ) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        hidden = [p for name, p in named if muon and _is_hidden_kernel(name, p)]
        chosen = {id(p) for p in hidden}
        rest = [p for _, p in named if id(p) not in chosen]
        self.kernels = [(p, _matrices(p)) for p in hidden]
        self.adam_factor, self.bfloat16 = adam_factor, bfloat16
        self.adam = torch.optim.AdamW(rest, lr=0.0, betas=(0.9, 0.99), weight_decay=0.0)
        matrices = [matrix for _, views in self.kernels for matrix in views]
        self.muon = (
            torch.optim.Muon(matrices, lr=0.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
            if matrices
            else None
        )

    def step(self, lr: float) -> None:
        """Apply the gradients that `backward` left, then clear them."""
        for group in self.adam.param_groups:
            group["lr"] = lr * self.adam_factor
        self.adam.step()
        if self.muon is not None:
            for group in self.muon.param_groups:
                group["lr"] = lr
            for parameter, views in self.kernels:
                if parameter.grad is not None:
                    for view, grad in zip(views, _split(parameter.grad), strict=True):
                        view.grad = grad
            with nullcontext() if self.bfloat16 else _KeepFloat32():
                self.muon.step()  # type: ignore[no-untyped-call]
            self.muon.zero_grad(set_to_none=True)
            for parameter, _ in self.kernels:
                parameter.grad = None
        self.adam.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {
            "adam": self.adam.state_dict(),
            "muon": None if self.muon is None else self.muon.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.adam.load_state_dict(state["adam"])
        if self.muon is not None:
            self.muon.load_state_dict(state["muon"])


class _KeepFloat32(TorchFunctionMode):
    """Tensors stay in float32 where torch's Muon asks for bfloat16, without a way to say no.

    Where bfloat16 is emulated its products take most of the time of a training step.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.bfloat16:
            return args[0].clone()  # what bfloat16() gives may be changed in place
        return func(*args, **(kwargs or {}))


def _is_hidden_kernel(name: str, parameter: Tensor) -> bool:
    if parameter.ndim not in (4, 5) or name.startswith("lifting."):
        return False
    kernel = parameter if parameter.ndim == 4 else parameter[0]
    return min(kernel.shape[0], kernel[0].numel()) >= _MUON_MIN_SIDE


def _split(kernel: Tensor) -> list[Tensor]:
    return [part.flatten(1) for part in (kernel if kernel.ndim == 5 else [kernel])]


def _matrices(parameter: nn.Parameter) -> list[nn.Parameter]:
    views = [nn.Parameter(view) for view in _split(parameter.detach())]
    assert all(view.untyped_storage().data_ptr() == parameter.untyped_storage().data_ptr()
               for view in views)  # fmt: skip
    return views
