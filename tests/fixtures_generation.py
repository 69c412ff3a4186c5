"""Material for tests of generations: revisions, one real encoder for the whole run, a small real generation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.index.encoder import Encoder, Vectors, load_current_encoder
from knowledge_base.index.generation import Generation
from knowledge_base.index.rows import collect
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking.fitting import Recipe, fit
from knowledge_base.snippet import Revision, SnippetContent, Status

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TEST_HOME = "FIRSTLINE_TEST_HOME"  # a home with an exported encoder, to spare each run the export

CONTENT = {
    "returns.how": (
        "How to return something",
        "You can return anything within 30 days. Start in the app under Orders.",
        (
            "how do i send this back",
            "want to return my boots",
            "how can I return a dress",
            "return process?",
            "i need to give these trousers back",
        ),
    ),
    "delivery.late": (
        "Late delivery",
        "Sorry that {order_number} is late, {first_name}. I am checking where it is.",
        (
            "where is my parcel",
            "my order is late",
            "still waiting for my delivery 😡",
            "its been two weeks and nothing came",
            "package not arrived yet",
        ),
    ),
    "stores.hours": (
        "Opening hours",
        "Most shops open from 9 to 6. Each shop's hours are in the store finder.",
        (
            "when do you open",
            "are you open on sunday",
            "what time does the shop close",
            "opening times pls",
            "is the store open today",
        ),
    ),
    "gift_cards.balance": (
        "Gift card balance",
        "You can see what is left on a gift card in the app, under Wallet.",
        (
            "how much is left on my gift card",
            "check gift card balance",
            "gift card balance??",
            "where can i see my voucher balance",
            "whats on my giftcard",
        ),
    ),
    "praise.thanks": (
        "Thanks for kind words",
        "Thank you so much, that made our day!",
        (
            "you guys are amazing",
            "best shop ever ❤️",
            "love my new lamp, thank you",
            "great service today",
            "just wanted to say thanks",
        ),
    ),
}


def revision(
    key: str,
    *,
    title: str = "",
    text: str = "We will help you with that.",
    examples: Sequence[str] = (),
    number: int = 1,
    revision_id: int = 1,
) -> Revision:
    """An approved revision with this content."""
    content = SnippetContent(key=key, title=title, text=text, examples=tuple(examples))
    return Revision(
        id=revision_id,
        number=number,
        content=content,
        content_hash=content.content_hash,
        status=Status.APPROVED,
        author="ana",
        created_at=AT,
        approved_by="ben",
        approved_at=AT,
        policy_version="1",
    )


def shop() -> list[Revision]:
    """Five snippets of a small shop with five phrasings each."""
    return [
        revision(key, title=title, text=text, examples=examples, revision_id=number)
        for number, (key, (title, text, examples)) in enumerate(CONTENT.items(), start=1)
    ]


def larger_shop() -> list[Revision]:
    """Half a shop more than the five snippets, so that the ranking knows what it does not know."""
    material = {
        "payment.methods": (
            "do you take paypal",
            "can i pay with amex",
            "which cards do you take",
        ),
        "account.password": ("i forgot my password", "cannot log in", "reset my login please"),
        "jobs.apply": ("are you hiring", "how do i apply for a job", "any vacancies in your team"),
        "size.guide": ("which size am i", "is there a size chart", "do your dresses run small"),
        "newsletter.stop": ("stop emailing me", "unsubscribe me", "too many newsletters"),
        "loyalty.points": (
            "how many points have i",
            "do points expire",
            "when do i get my points",
        ),
    }
    more = [
        revision(key, title=key, examples=examples, revision_id=100 + number)
        for number, (key, examples) in enumerate(material.items())
    ]
    return [*shop(), *more]


def exported_home(folder: Path, encoders: Path) -> Home:
    """A home in `folder` with the real encoder: `encoders` is what the fixture of this name gives."""
    home = Home.at(folder)
    folder.mkdir(parents=True, exist_ok=True)
    home.encoders.symlink_to(encoders)
    return home


def build(
    home: Home,
    revisions: Iterable[Revision],
    encoder: Encoder,
    *,
    priors: Mapping[str, float] | None = None,
) -> Generation:
    """Build, publish and load a generation without a database."""
    recipe = Recipe(priors=priors or {})
    chosen = list(revisions)
    rows, texts = collect(chosen)
    fitted = fit(rows, encoder.encode(texts), texts, recipe=recipe)
    build_id = generation.make_build_id(
        chosen, encoder_fingerprint=encoder.fingerprint, parameters=recipe.parameters()
    )
    generation.write(
        home,
        build_id=build_id,
        encoder_fingerprint=encoder.fingerprint,
        rows=rows,
        vectors=fitted.vectors,
        artefacts=fitted.files(),
        parameters=recipe.parameters(),
    )
    generation.activate(home, build_id)
    return generation.load(home, build_id)


class WordHashEncoder(Encoder):
    """A stand-in without a model: words hashed to fixed directions, so that equal words are near.

    For tests of files and formats, where a real encoder would only cost time.
    """

    def __init__(self, *, dimension: int = 32, fingerprint: str = "f" * 64) -> None:
        self._dimension = dimension
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> str:
        """Any fingerprint that the test wants."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Floats per vector."""
        return self._dimension

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """The sum of the words' directions, unit length."""
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split() or [""]:
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
                vectors[row] += np.random.default_rng(seed).standard_normal(self._dimension)
            progress("Encoding texts", row + 1, len(texts))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def encode_one(self, text: str) -> Vectors:
        """One vector."""
        vector: Vectors = self.encode([text])[0]
        return vector


def reseal(folder: Path, **changes: object) -> None:
    """Change the manifest and seal it again, as another version of the program would have written it."""
    manifest = sealed.read_manifest(folder)
    body = {k: v for k, v in {**manifest, **changes}.items() if k not in {"seal", "files"}}
    sealed.seal(folder, body)


def real_encoder(home: Home) -> Encoder:
    """The home's encoder on one thread."""
    return load_current_encoder(home, threads=1)
