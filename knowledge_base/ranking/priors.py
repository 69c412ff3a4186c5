"""What agents' choices say about a snippet before a question is read: a small, bounded prior."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log

# Of each snippet key and place (1 is the first): how often it was offered there, and how often it was taken.
Counts = Mapping[str, Mapping[int, tuple[int, int]]]

# Chosen by simulation on the development part of Banking77 (docs/ranking.md).
STRENGTH = 5.0  # choices' worth by which a snippet is drawn to the rate of all
# Nats either way: priors move the odds between two snippets by e at most, so that none overturns a clear margin.
CAP = 0.5
DIGITS = (
    1  # a prior moves in steps of a tenth, so that one more choice seldom makes another generation
)


def priors(keys: Sequence[str], counts: Counts) -> dict[str, float]:
    """The logarithm of how much more often each snippet is taken than others in its places, in nats.

    log((taken + STRENGTH) / (expected + STRENGTH)) within CAP, where `expected` is what it would be if at each
    place it were taken as often as all snippets are there. So standing first, which is taken most, earns nothing
    by itself. Snippets whose prior is 0, as of all that were never offered, are left out. Shrinkage as of a rate
    with a gamma prior of mean 1 (DuMouchel 1999, The American Statistician 53:177).
    """
    rates = _rates(counts)
    found: dict[str, float] = {}
    for key in keys:
        places = counts.get(key, {})
        expected = sum(offered * rates[place] for place, (offered, _) in places.items())
        taken = sum(taken for _, taken in places.values())
        ratio = (taken + STRENGTH) / (expected + STRENGTH)
        prior = round(min(CAP, max(-CAP, log(ratio))), DIGITS)
        if prior:
            found[key] = prior
    return found


def _rates(counts: Counts) -> dict[int, float]:
    """The share taken at each place, over all snippets."""
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for places in counts.values():
        for place, (offered, taken) in places.items():
            sums[place][0] += offered
            sums[place][1] += taken
    # One imagined choice of two keeps a place where nothing was ever taken from having the rate 0.
    return {place: (taken + 1) / (offered + 2) for place, (offered, taken) in sums.items()}
