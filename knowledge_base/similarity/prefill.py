"""A snippet begun from a gap: key, title, topic and phrasings suggested; the text is the author's to write."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from knowledge_base.ranking import Ranker
from knowledge_base.similarity import space
from knowledge_base.similarity.gaps import Gap
from knowledge_base.similarity.space import Neighbour
from knowledge_base.snippet import MAX_KEY

NEIGHBOURS = 5  # snippets whose topics are asked
LONGEST_TITLE = 60  # code points: a line of a list
WORDS_OF_KEY = 3
NEW_TOPIC = "new"  # the key's first part where no neighbour tells a topic
# Words that stand in any question and name no matter.
_STOP_WORDS = (
    "a an and any are as at be been but by can could did do does for from get give go had has have hello help"
    " hey hi how i if im in is it its just like me my need no not of on one or our please so some tell than"
    " thanks that the their them there they this to us want was way we were what when where which who why will"
    " with would you your youre ive id dont cant"
)
STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """What the page of a new snippet begins with. `neighbours` are the nearest snippets there are: one of them
    may only lack a phrasing.
    """

    key: str
    title: str
    topic: str
    examples: tuple[str, ...]
    locale: str
    neighbours: tuple[Neighbour, ...]


def prefill(
    ranker: Ranker, gap: Gap, *, topics: Mapping[str, str], taken: Collection[str]
) -> Prefill:
    """Begin a snippet from a gap. `topics` are those of the live snippets by key; `taken` are all keys in use."""
    centre = space.middle(space.positions(ranker, [one.text for one in gap.questions]))
    near = space.neighbours(ranker, centre, limit=NEIGHBOURS)
    topic = _topic(near, topics)
    title = _title(gap.phrasings[0] if gap.phrasings else gap.examples[0])
    return Prefill(
        key=_free(f"{_slug(topic) or NEW_TOPIC}.{_name(gap.phrasings)}", taken),
        title=title,
        topic=topic,
        examples=gap.phrasings,
        locale=gap.locale or "en",
        neighbours=near,
    )


def _topic(near: Sequence[Neighbour], topics: Mapping[str, str]) -> str:
    """The topic with the most weight among the neighbours; of equal ones the nearest's."""
    weight: Counter[str] = Counter()
    for neighbour in near:
        topic = topics.get(neighbour.key, "")
        if topic:
            weight[topic] += max(int(neighbour.similarity * 1000), 0)
    return max(weight, key=lambda topic: weight[topic]) if weight else ""


def _title(phrasing: str) -> str:
    words = phrasing.split()
    while len(words) > 1 and len(" ".join(words)) > LONGEST_TITLE:
        words.pop()
    title = " ".join(words)[:LONGEST_TITLE].strip(" ,;:-")
    return title[:1].upper() + title[1:]


def _name(phrasings: Sequence[str]) -> str:
    """The words that most of the phrasings share, in the order of the first one that has them."""
    counts: Counter[str] = Counter()
    order: dict[str, int] = {}
    for phrasing in phrasings:
        words = [slug for word in _WORD.findall(phrasing.casefold()) if (slug := _slug(word))]
        for word in dict.fromkeys(w for w in words if w not in STOP and len(w) > 1):
            counts[word] += 1
            order.setdefault(word, len(order))
    best = sorted(counts, key=lambda word: (-counts[word], order[word]))[:WORDS_OF_KEY]
    return "_".join(sorted(best, key=lambda word: order[word])) or "question"


def _slug(words: str) -> str:
    """Lower-case ASCII letters and digits, joined by underscores; empty where none are left."""
    plain = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode()
    return "_".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))


def _free(key: str, taken: Collection[str]) -> str:
    key = key[: MAX_KEY - 4].rstrip("_.-")
    number = 2
    chosen = key
    while chosen in taken:
        chosen = f"{key}_{number}"
        number += 1
    return chosen
