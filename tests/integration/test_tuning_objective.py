"""The objective against its own definition, and the weights between untuned and tuned."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from knowledge_base.tuning.model import averaged
from knowledge_base.tuning.objective import supervised_contrastive


def test_the_loss_is_the_formula_written_out() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(7, 5, generator=generator), dim=1)
    owner = [0, 0, 0, 1, 1, 2, 3]  # the last two have no other text of their snippet
    expected = []
    for i in range(7):
        others = [j for j in range(7) if j != i]
        positive = [j for j in others if owner[j] == owner[i]]
        if not positive:
            continue
        near = {j: float(vectors[i] @ vectors[j]) / 0.1 for j in others}
        total = sum(exp(value) for value in near.values())
        expected.append(-sum(near[p] - log(total) for p in positive) / len(positive))
    found = supervised_contrastive(vectors, torch.tensor(owner), temperature=0.1)
    assert float(found) == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_texts_without_a_partner_teach_nothing() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, 3), dim=1).requires_grad_()
    loss = supervised_contrastive(vectors, torch.arange(4), temperature=0.07)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert vectors.grad is not None
    assert float(vectors.grad.abs().max()) == 0.0


def test_a_closer_pair_has_a_lower_loss() -> None:
    def loss(angle: float) -> float:
        around = torch.tensor([0.0, angle, 2.0, 2.0 + angle])
        vectors = torch.stack([around.cos(), around.sin()], dim=1)
        return float(supervised_contrastive(vectors, torch.tensor([0, 0, 1, 1]), temperature=0.5))

    assert loss(0.1) < loss(0.5) < loss(0.9)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.25, 1.5), (1.0, 3.0)])
def test_averaged_weights_lie_on_the_way_from_untuned_to_tuned(
    share: float, expected: float
) -> None:
    untuned, tuned = {"w": torch.ones(2)}, {"w": torch.full((2,), 3.0)}
    assert averaged(untuned, tuned, share=share)["w"].tolist() == [expected] * 2
    assert untuned["w"].tolist() == [1.0, 1.0]
