"""A small file to start from: every column used once, in words that the policy lets through."""

from __future__ import annotations

from knowledge_base.exchange.exporter import render
from knowledge_base.snippet import SnippetContent

_SAMPLE = (
    SnippetContent(
        key="delivery.sample_times",
        title="How long delivery takes",
        text="Hi {first_name}, standard delivery takes 3 to 5 working days. You can follow it in the app.",
        examples=("how long does delivery take", "when will it arrive"),
        topic="delivery",
        tags=("delivery", "times"),
        owner="Logistics",
    ),
    SnippetContent(
        key="returns.sample_window",
        title="How long a return is possible",
        text="You can return most items within 30 days of delivery. The app shows you how.",
        examples=("can i still send this back", "how long do i have to return"),
        topic="returns",
        channels=("generic",),
    ),
)


def sample(*, suffix: str) -> str:
    """The text of the sample file, `.csv` or `.yaml`. Raises UnreadableFile for another suffix."""
    return render(list(_SAMPLE), suffix=suffix, name=f"sample{suffix}")
