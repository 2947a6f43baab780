"""What learns, what stays, and what it costs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.link import LinkNetwork, as_float
from semveil.nets.task import TaskEncoder, TaskHead
from semveil.rng import generator, seeded
from semveil.training.transfer import PARTS, Learning, hits, inherit, learn, part_of, waveforms

BATCH, DIM, WIDTH, CLASSES = 8, 8, 16, 10
COURSE = Learning(BATCH, 1e-2, 1.0, 10.0, seed=3, scope="test")
MOVES = {"head": ("classifier.3",), "bob": ("classifier",), "alice": ("encoder",)}
MOVES["all"] = ("classifier", "encoder")
# The whitening is not trained.
FIXED = "filters", "offset"


def link(seed: int = 0, classes: int = CLASSES) -> LinkNetwork:
    with seeded(seed):
        encoder = TaskEncoder((1, 8, 8), DIM, 4)
        return LinkNetwork(encoder, TaskHead(DIM + 1, WIDTH, classes), None, Channel())


def images(n: int = 3 * BATCH) -> tuple[Tensor, Tensor]:
    source = generator(0, "images")
    x = torch.randint(0, 256, (n, 1, 8, 8), generator=source, dtype=torch.uint8)
    return x, torch.randint(0, CLASSES, (n,), generator=source)


def after(
    part: str, steps: int, course: Learning = COURSE, seed: int = 0
) -> tuple[LinkNetwork, int]:
    """Return a link of which a part learned, and the FLOPs."""
    trained = link(seed)
    chosen = part_of(trained, part, new_answers=False)
    *_, (done, flops) = learn(trained, chosen, *images(), course, (steps,))
    assert done == steps
    return trained, flops


@pytest.mark.parametrize("part", PARTS)
def test_what_learns_moves_and_the_rest_keeps_its_batch_statistics_too(part: str) -> None:
    before = link().state_dict()
    for name, tensor in after(part, 4)[0].state_dict().items():
        learns = name.startswith(MOVES[part]) and not name.endswith(FIXED)
        assert torch.equal(tensor, before[name]) != learns, name


def test_while_alice_stands_still_her_waveform_does() -> None:
    shown, _ = images()
    assert torch.equal(waveforms(after("bob", 4)[0], shown), waveforms(link(), shown))
    assert not torch.allclose(waveforms(after("alice", 4)[0], shown), waveforms(link(), shown))


def test_new_answers_learn_in_every_part() -> None:
    last = link().classifier
    assert isinstance(last, TaskHead)
    for part in PARTS:
        chosen = link()
        learning = {id(p) for p in part_of(chosen, part, new_answers=True).parameters()}
        assert {id(p) for p in chosen.classifier[-1].parameters()} <= learning  # type: ignore[index]


def test_what_is_inherited() -> None:
    source, fresh, other = link(1), link(2), link(3, classes=2)
    inherit(fresh, source, new_answers=False)
    assert all(torch.equal(a, source.state_dict()[n]) for n, a in fresh.state_dict().items())
    drawn = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    inherit(other, source, new_answers=True)
    for name, tensor in other.state_dict().items():
        expected = drawn if name.startswith("classifier.3") else source.state_dict()
        assert torch.equal(tensor, expected[name]), name


def test_flops_agree_with_the_layers_sizes() -> None:
    products = [2 * BATCH * a * b for a, b in ((DIM + 1, WIDTH), (WIDTH, CLASSES))]
    cost = {part: after(part, 1)[1] for part in PARTS}
    # Bob beside his head: gradients of a layer's weights, and of what went into the last.
    assert cost["bob"] - cost["head"] == products[0] + products[1]
    # Both beside Alice: gradients of Bob's weights; the way back to her is paid in any case.
    assert cost["all"] - cost["alice"] == sum(products)
    assert after("all", 3)[1] == 3 * cost["all"]


def test_the_same_seed_gives_the_same_link_and_another_does_not() -> None:
    one, two = (after("all", 5)[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = after("all", 5, Learning(BATCH, 1e-2, 1.0, 10.0, seed=4, scope="test"))[0].state_dict()
    assert not torch.equal(one["encoder.project.weight"], other["encoder.project.weight"])


def test_pauses_change_nothing() -> None:
    paused = link()
    part = part_of(paused, "all", new_answers=False)
    shown, labels = images()
    for _ in learn(paused, part, shown, labels, COURSE, (0, 1, 3, 5)):
        hits(paused, waveforms(paused, shown), labels, 10.0, generator(0))
    whole = after("all", 5)[0].state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in paused.state_dict().items())


def test_a_rate_that_falls_ends_at_nearly_nothing() -> None:
    moved = []
    for falls in (False, True):
        trained = link()
        course = Learning(BATCH, 1e-2, 1.0, 10.0, seed=3, scope="test", falls=falls)
        part = part_of(trained, "head", new_answers=False)
        weights = []
        for _ in learn(trained, part, *images(), course, (39, 40)):
            weights.append(trained.state_dict()["classifier.3.weight"].clone())
        moved.append(float((weights[1] - weights[0]).abs().max()))
    # The cosine's value at the last of 38 steps after the warm-up.
    assert 0 < moved[1] < 0.05 * moved[0]


def test_hits_are_bobs_right_answers_to_what_he_received() -> None:
    shown, _ = images(300)
    chosen = link().eval()
    with torch.no_grad():
        said = chosen(as_float(shown), 5.0, generator=generator(1)).logits.argmax(1)
    sent = waveforms(chosen, shown)
    assert hits(chosen, sent, said, 5.0, generator(1)) == 300
    assert hits(chosen, sent, (said + 1) % CLASSES, 5.0, generator(1)) == 0


def test_too_few_images_and_losses_that_explode_are_refused() -> None:
    chosen = link()
    with pytest.raises(SemveilError, match="only 5 to adapt to"):
        next(learn(chosen, chosen, *images(5), COURSE, (1,)))
    wild = Learning(BATCH, 1e30, 1.0, 10.0, seed=0, scope="wild")
    with pytest.raises(SemveilError, match="wild: loss is not finite"):
        list(learn(chosen, chosen, *images(), wild, (20,)))
