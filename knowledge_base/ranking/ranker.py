"""The ranker: a customer's turns in, snippets with their confidence out, or silence with a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import perf_counter

from knowledge_base.errors import GenerationCorrupt, GenerationForeign
from knowledge_base.index.encoder import Encoder, Vectors
from knowledge_base.index.generation import Generation
from knowledge_base.index.rows import RowRef
from knowledge_base.index.sealed import SealBroken
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import query, scoring
from knowledge_base.ranking.confidence import Calibration, Use
from knowledge_base.ranking.context import Context, Surroundings
from knowledge_base.ranking.lexicon import Floats, Lexicon
from knowledge_base.ranking.scoring import Head

# Which of these snippet keys may be offered; asked of the database at the moment of the request.
Eligible = Callable[[Sequence[str]], Collection[str]]
PAGE = 50  # keys asked for at a time: nearly always enough for three suggestions
# Beyond so many ineligible ones in a row nothing worth offering can follow.
MAX_PAGES = 4
LOW_CONFIDENCE = "low_confidence"
NOTHING_ELIGIBLE = "nothing_eligible"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A snippet that may answer. `confidence` is the probability that it is the right one.

    `score` compares candidates within one ranking and means nothing across two; `matched` is the row of the
    snippet nearest to the question, None when none was near. Variants of one answer come together, each with
    the confidence of all of them.
    """

    snippet_key: str
    revision_id: int
    revision: int
    score: float
    confidence: float
    matched: RowRef | None


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent on each step of one ranking."""

    encode: float
    search: float
    rank: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates, best first. When `abstained`, none should be offered, and `reason` says why:
    nothing_asked, no_words, low_confidence or nothing_eligible.
    """

    candidates: tuple[Candidate, ...]
    abstained: bool
    reason: str | None
    threshold: float
    build_id: str
    timings: Timings


class Ranker:
    """Ranks with one generation and the encoder that it was made by; safe to share between threads."""

    def __init__(self, generation: Generation, encoder: Encoder) -> None:
        """Open the generation's classifier, words and calibration.

        Raises GenerationForeign when another encoder made it, GenerationCorrupt when its parts do not fit.
        """
        if encoder.fingerprint != generation.encoder_fingerprint:
            raise GenerationForeign(
                f"generation {generation.build_id} was made by the encoder"
                f" {generation.encoder_fingerprint[:12]}, in use is {encoder.fingerprint[:12]}:"
                " run `firstline kb build`"
            )
        try:
            self._head = Head.from_bytes(
                (generation.folder / "classifier.npz").read_bytes(),
                dimension=generation.dimension,
                snippets=len(generation.rows.snippets),
            )
            self._lexicon = Lexicon.from_bytes(
                (generation.folder / "lexicon.npz").read_bytes(),
                snippets=len(generation.rows.snippets),
            )
            self._calibration = Calibration.from_json(
                (generation.folder / "calibration.json").read_bytes()
            )
        except (SealBroken, OSError) as error:
            raise GenerationCorrupt(f"generation {generation.build_id}: {error}") from None
        self._generation = generation
        self._encoder = encoder
        self._counts = generation.rows.counts
        self._surroundings = Surroundings(generation.rows.snippets)
        self._known: dict[str, int] | None = None  # made when it is first asked for

    @property
    def build_id(self) -> str:
        """Of the generation."""
        return self._generation.build_id

    @property
    def encoder_fingerprint(self) -> str:
        """Of the encoder."""
        return self._encoder.fingerprint

    @property
    def generation(self) -> Generation:
        """What it ranks with."""
        return self._generation

    @property
    def encoder(self) -> Encoder:
        """What turns words into vectors."""
        return self._encoder

    @property
    def head(self) -> Head:
        """What brings vectors into the index's space, and knows the snippets."""
        return self._head

    @property
    def lexicon(self) -> Lexicon:
        """The words of the snippets."""
        return self._lexicon

    @property
    def calibration(self) -> Calibration:
        """The weights, the thresholds and what they rest on."""
        return self._calibration

    def same_answer(self, one: str, other: str) -> bool:
        """Whether two snippets, by key, are one answer in two wordings (see `variants`)."""
        known = self._positions()
        if one not in known or other not in known:
            return False
        variant = self._head.variant
        return bool(variant[known[one]] == variant[known[other]])

    def rank(
        self,
        messages: Sequence[str],
        *,
        limit: int,
        eligible: Eligible | None = None,
        use: Use = "agent",
        context: Context | None = None,
    ) -> Ranking:
        """Rank for the customer's messages, oldest first; at most `limit` candidates come back.

        `context` is what is known of the conversation; None is a question by itself, whose facts may be anything.

        Snippets that are not eligible keep their share of the probability, unless an eligible one says
        the same (see `variants`): when the best match may not be offered, another answer does not become
        right by that, and the same answer in other words does not become wrong.
        """
        threshold = self._calibration.threshold(use).confidence
        started = perf_counter()
        reason = query.why_unanswerable(messages)
        if reason is not None:
            timings = Timings(0.0, 0.0, perf_counter() - started)
            return Ranking((), True, reason, threshold, self.build_id, timings)
        turns = query.weighted(messages, product="" if context is None else context.product)
        vector = self._head.project(query.encode(self._encoder, turns))
        encoded = perf_counter()
        hits = self._generation.index.search(vector, k=scoring.RETRIEVED)
        lexical = query.lexical(self._lexicon, turns, len(self._counts))
        searched = perf_counter()
        around = None if context is None else self._surroundings.scores(context)
        candidates = self._candidates(
            vector, hits, lexical, around, limit=limit, eligible=eligible
        )
        timings = Timings(encoded - started, searched - encoded, perf_counter() - searched)
        if not candidates:
            reason = NOTHING_ELIGIBLE
        elif candidates[0].confidence < threshold:
            reason = LOW_CONFIDENCE
        return Ranking(candidates, reason is not None, reason, threshold, self.build_id, timings)

    def _positions(self) -> dict[str, int]:
        if self._known is None:
            self._known = {s.key: i for i, s in enumerate(self._generation.rows.snippets)}
        return self._known

    def _candidates(
        self,
        vector: Vectors,
        hits: scoring.Hits,
        lexical: Floats,
        around: Floats | None,
        *,
        limit: int,
        eligible: Eligible | None,
    ) -> tuple[Candidate, ...]:
        scores = scoring.score(
            hits,
            snippet=self._generation.rows.snippet,
            counts=self._counts,
            log_head=self._head.log_probabilities(vector),
            lexical=lexical,
            prior=self._head.prior,
            context=around,
        )
        placed = conf.place(scores, self._head, self._calibration.temperature)
        order = placed.order
        sure = placed.confidences(float(self._calibration.probability(placed.features)))
        snippets = self._generation.rows.snippets
        chosen: list[Candidate] = []
        for start in range(0, min(len(order), PAGE * MAX_PAGES), PAGE):
            page = [int(position) for position in order[start : start + PAGE]]
            keys = [snippets[position].key for position in page]
            allowed = keys if eligible is None else eligible(keys)
            for position in page:
                if snippets[position].key in allowed and len(chosen) < limit:
                    chosen.append(self._candidate(position, scores, float(sure[position])))
            if len(chosen) >= limit:
                break
        return tuple(chosen)

    def _candidate(self, position: int, scores: scoring.Scores, confidence: float) -> Candidate:
        snippet = self._generation.rows.snippets[position]
        row = int(scores.best_row[position])
        return Candidate(
            snippet_key=snippet.key,
            revision_id=snippet.revision_id,
            revision=snippet.revision,
            score=float(scores.total[position]),
            confidence=confidence,
            matched=None if row < 0 else self._generation.rows.ref(row),
        )
