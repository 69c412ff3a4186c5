"""What tuning minimises: texts of one snippet close together, texts of others far apart (torch)."""

from __future__ import annotations

import torch


def supervised_contrastive(
    vectors: torch.Tensor, owner: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, equation 2), in nats per text.

    `vectors` is [n, d] of unit length, `owner` [n] names their snippets. A text without another one of
    its snippet counts for nothing.
    """
    logits = vectors @ vectors.T / temperature
    itself = torch.eye(len(owner), dtype=torch.bool, device=vectors.device)
    logits = logits.masked_fill(itself, float("-inf"))
    log_share = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    positive = (owner[:, None] == owner[None, :]) & ~itself
    count = positive.sum(dim=1)
    of_text = -log_share.masked_fill(~positive, 0.0).sum(dim=1) / count.clamp(min=1)
    return of_text[count > 0].mean() if bool((count > 0).any()) else vectors.sum() * 0.0
