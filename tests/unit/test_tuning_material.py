"""What tuning learns from and in which batches: nothing lost, nothing leaked, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import NothingToTune
from knowledge_base.tuning import batches
from knowledge_base.tuning.material import gather
from knowledge_base.tuning.noise import noised
from knowledge_base.tuning.settings import LEAST_EPOCHS, MOST_EPOCHS, MOST_PASSES, TuningSettings
from tests.fixtures_generation import revision, shop


def owners(counts: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts).astype(np.int32)


def planned(counts: list[int], *, groups: int, size: int, epoch: int = 0) -> list[np.ndarray]:
    owner = owners(counts)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(len(owner), 8)).astype(np.float32)
    near = batches.confusable(vectors, owner, len(counts))
    return list(batches.plan(owner, near, groups=groups, size=size, seed=3, epoch=epoch))


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    groups=st.integers(1, 6),
    size=st.integers(2, 5),
)
def test_an_epoch_has_every_text_and_each_batch_whole_groups_of_different_snippets(
    counts: list[int], groups: int, size: int
) -> None:
    owner = owners(counts)
    made = planned(counts, groups=groups, size=size)
    assert {int(i) for batch in made for i in batch} == set(range(len(owner)))
    assert sum(len(batch) for batch in made) == sum(-(-count // size) * size for count in counts)
    for batch in made:
        of = owner[batch].reshape(-1, size)
        assert len(of) <= groups
        assert (of == of[:, :1]).all()
        assert len({int(row[0]) for row in of}) == len(of)


@given(counts=st.lists(st.integers(1, 9), min_size=2, max_size=12), most=st.integers(1, 40))
def test_a_limited_epoch_is_a_sample_that_changes(counts: list[int], most: int) -> None:
    owner = owners(counts)
    near = batches.confusable(np.eye(len(owner), dtype=np.float32), owner, len(counts))
    made = list(batches.plan(owner, near, groups=4, size=3, seed=1, epoch=0, most=most))
    assert sum(len(batch) for batch in made) <= max(3, most)
    assert made
    for batch in made:
        of = owner[batch].reshape(-1, 3)
        assert len({int(row[0]) for row in of}) == len(of)


def test_a_large_knowledge_base_is_planned_in_linear_time() -> None:
    """30,000 snippets of four texts: a plan that looks through its queue for each batch takes minutes."""
    count = 30_000
    owner = owners([4] * count)
    near = np.stack([(np.arange(count) + step) % count for step in (1, 2, 3)], axis=1)
    made = list(batches.plan(owner, near, groups=32, size=4, seed=1, epoch=0))
    assert sum(len(batch) for batch in made) == 4 * count


def test_batches_follow_the_seed_and_change_with_the_epoch() -> None:
    one, same = planned([6] * 9, groups=4, size=3), planned([6] * 9, groups=4, size=3)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    other = planned([6] * 9, groups=4, size=3, epoch=1)
    assert not all(len(a) == len(b) and (a == b).all() for a, b in zip(one, other, strict=False))


def test_the_most_easily_confused_snippets_are_found_in_order_and_never_the_snippet_itself() -> (
    None
):
    angles = np.array([0.0, 0.1, 0.3, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    near = batches.confusable(vectors, np.arange(4, dtype=np.int32), 4)
    assert near.tolist() == [[1, 2, 3], [0, 2, 3], [1, 0, 3], [2, 1, 0]]


def test_confusable_snippets_meet_more_often_than_by_chance() -> None:
    """Ten pairs of near snippets: a snippet's twin is in its batch far more often than 3 of 19."""
    owner = owners([4] * 20)
    rng = np.random.default_rng(5)
    centres = np.repeat(rng.normal(size=(10, 16)), 2, axis=0) + 0.05 * rng.normal(size=(20, 16))
    near = batches.confusable(centres[owner].astype(np.float32), owner, 20)
    met = total = 0
    for epoch in range(20):
        for batch in batches.plan(owner, near, groups=4, size=4, seed=1, epoch=epoch):
            inside = {int(owner[i]) for i in batch}
            met += sum((snippet ^ 1) in inside for snippet in inside)
            total += len(inside)
    assert met / total > 0.5


def test_one_tenth_of_the_phrasings_is_kept_back_and_never_learnt_from() -> None:
    material = gather(_many(), seed=7)
    learnt = set(zip(material.texts, material.owner.tolist(), strict=True))
    held = set(zip(material.held_texts, material.held_owner.tolist(), strict=True))
    assert len(held) == 6
    assert not learnt & held
    assert material.phrasings == 60
    assert (
        len(learnt) + len(held) == 60 + 2 * 5
    )  # titles and texts are learnt from, never held out
    left = np.bincount(material.owner, minlength=5)
    assert left.min() >= 4  # two phrasings, a title and a text at least


def test_the_same_content_and_seed_give_the_same_material() -> None:
    one, same, other = (gather(_many(), seed=seed) for seed in (7, 7, 8))
    assert one.digest == same.digest
    assert one.held_texts == same.held_texts
    assert one.digest != other.digest
    changed = [*_many()[:-1], revision("x.y", title="New", text="New.", examples=("n",) * 1)]
    assert gather(changed, seed=7).digest != one.digest


def test_snippets_with_two_phrasings_give_none_away() -> None:
    pairs = [
        revision(
            f"a.s{n}", title=f"t {n}", text=f"x {n}", examples=(f"a {n}", f"b {n}"), revision_id=n
        )
        for n in range(1, 13)
    ]
    assert gather(pairs, seed=7).held_texts == ()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_little_material_is_refused_with_a_way_out(count: int) -> None:
    with pytest.raises(NothingToTune, match="Add phrasings"):
        gather(shop()[:count] or [revision("a.b", title="t", text="x", examples=())], seed=7)


@given(text=st.text(max_size=80), seed=st.integers(0, 2**32 - 1))
def test_noise_never_empties_a_text_and_follows_its_seed(text: str, seed: int) -> None:
    changed = noised(text, np.random.default_rng(seed))
    assert changed == noised(text, np.random.default_rng(seed))
    assert bool(changed) == bool(text)
    assert len(changed) <= 2 * len(text) + 1  # lower case can make one letter two


def test_noise_changes_about_half_of_the_phrasings() -> None:
    rng = np.random.default_rng(0)
    text = "Where is My parcel please, it is late?"
    changed = sum(noised(text, rng) != text for _ in range(1000))
    assert 400 < changed < 600


def test_large_knowledge_bases_get_fewer_epochs_unless_told() -> None:
    assert TuningSettings().epochs_for(100) == MOST_EPOCHS
    assert TuningSettings().epochs_for(MOST_PASSES // 4) == 4
    assert TuningSettings().epochs_for(10**6) == LEAST_EPOCHS
    assert TuningSettings(epochs=30).epochs_for(10**6) == 30


def _many() -> list:
    """Five snippets of twelve phrasings."""
    return [
        revision(
            f"a.s{n}",
            title=f"title {n}",
            text=f"text {n}",
            examples=tuple(f"phrasing {i} of {n}" for i in range(12)),
            revision_id=n,
        )
        for n in range(1, 6)
    ]
