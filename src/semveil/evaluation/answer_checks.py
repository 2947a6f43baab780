"""Checks of what a receiver answers, at each of its calls."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.link import Answer

_MOST_OVERSHOOT = 0.2  # mean; images of tanh or of mean/std-normalised pixels exceed it by far


def checked_receiver(
    receive: Callable[[Reception], Answer],
    classes: int,
    image_shape: tuple[int, int, int],
    differentiable: bool,
) -> Callable[[Reception], Answer]:
    """Return a receiver whose answers are refused if they are not what figures are computed from.

    Args:
        receive: A reception of ``B`` images → logits float ``[B, classes]``, images float
            ``[B, C, H, W]``, or both.
        classes: Number of classes.
        image_shape: Channels, height, width.
        differentiable: Whether the answer must have a gradient at what is received.
    """

    def checked(reception: Reception) -> Answer:
        answer = receive(reception)
        check_answer(answer, len(reception.symbols), classes, image_shape)
        wanted = differentiable and reception.symbols.requires_grad and torch.is_grad_enabled()
        if wanted and not answer.output.requires_grad:
            raise SemveilError(
                "receive: its answer has no gradient at what is received: return logits rather "
                "than decisions, without torch.no_grad, or pass differentiable=False, which leaves "
                "out the attacks that need a gradient"
            )
        return answer

    return checked


def check_answer(
    answer: object, batch: int, classes: int, image_shape: tuple[int, int, int]
) -> None:
    """Refuse an answer to a batch that is not finite, or not of the form of an answer."""
    if not isinstance(answer, Answer):
        raise SemveilError(
            f"receive must return semveil.link.Answer(logits=…, images=…), "
            f"not {type(answer).__name__}"
        )
    if answer.logits is None and answer.images is None:
        raise SemveilError("receive must return logits, images or both, not an empty Answer")
    _check("logits", answer.logits, (batch, classes), f"[B, classes] = [{batch}, {classes}]")
    _check("images", answer.images, (batch, *image_shape), str([batch, *image_shape]))
    for name, told in (("lost", answer.lost), ("accepted", answer.accepted)):
        if told is not None and (
            not isinstance(told, Tensor) or told.dtype != torch.bool or told.shape != (batch,)
        ):
            raise SemveilError(f"receive must return {name} bool [B] = [{batch}], or None")


def check_range(images: Tensor) -> None:
    """Refuse reconstructions of receptions without noise that are not in [0, 1]."""
    found = images.detach().float()
    if (found - found.clamp(0, 1)).abs().mean() > _MOST_OVERSHOOT:
        raise SemveilError(
            "receive must return images in [0, 1], "
            f"not from {float(found.min()):.3g} to {float(found.max()):.3g}"
        )


def _check(name: str, found: object, shape: tuple[int, ...], form: str) -> None:
    """Refuse what is not a finite tensor of floats of a shape."""
    if found is None:
        return
    if not isinstance(found, Tensor):
        raise SemveilError(f"receive must return {name} float {form}, not {type(found).__name__}")
    if not found.is_floating_point() or found.shape != shape:
        raise SemveilError(
            f"receive must return {name} float {form}, not {found.dtype} {list(found.shape)}"
        )
    if not bool(torch.isfinite(found.detach()).all()):
        raise SemveilError(f"receive returned {name} that are not finite")
