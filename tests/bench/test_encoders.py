"""The ratios of encoders: published networks of one output size."""

from __future__ import annotations

import pytest
import torch

from benchmarks.agreement import DisagreementError
from benchmarks.encoders import PARAMETERS, OneImage, measure, require_published_size
from semveil.device import one_thread


def test_all_encoders_say_as_much_of_the_same_image() -> None:
    sides = [OneImage(system) for system in PARAMETERS]
    assert all(torch.equal(side.image, sides[0].image) for side in sides)
    features = [side() for side in sides]
    assert {tuple(each.shape) for each in features} == {(1, 768)}
    assert not torch.equal(features[0], features[1])


def test_another_network_is_noticed() -> None:
    one = OneImage("mobilesc")
    one.encoder = torch.nn.Sequential(one.encoder, torch.nn.Linear(768, 768))
    with pytest.raises(DisagreementError, match="parameters of mobilesc"):
        require_published_size(one)


def test_three_times_the_work_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is theirs over ours: the other way round it would fall."""
    encode = OneImage.__call__

    def slowly(self: OneImage) -> torch.Tensor:
        for _ in range(0 if self.system == "mobilesc" else 2):
            encode(self)
        return encode(self)

    monkeypatch.setattr(OneImage, "__call__", slowly)
    with one_thread():
        assert measure("mobilenetv2", True, lambda done, total: None).median > 1.8
