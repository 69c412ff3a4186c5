"""What the gate has to know beside a text: the revision and the conversation, as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.snippet import Revision, Status
from knowledge_base.store import recalls
from knowledge_base.store import repository as knowledge
from suggest_api.bot_client.model import HandOverReason
from suggest_api.compliance.drift import Drift, DriftLimits
from suggest_api.compliance.model import (
    USE_LIMITS,
    USE_WINDOW,
    Circumstances,
    ConversationFacts,
    RecallFacts,
    RevisionFacts,
)
from suggest_api.compliance.signals import Signal
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, Turn, TurnKind
from suggest_api.delivery import service as delivery
from suggest_api.delivery.model import LeasedDelivery
from suggest_api.flow.desk import Desk
from suggest_api.freezes import service as freezes
from suggest_api.values import Author, FreezeState, Owner, Use

# What the service says itself when it happens: silence would be worse than the notice.
OPTED_OUT, OPTED_IN = "assistant.opted_out", "assistant.opted_in"
HANDED_OVER, OUTAGE = "assistant.hand_over", "assistant.hand_over_outage"
NOTICES = frozenset({OPTED_OUT, OPTED_IN, HANDED_OVER, OUTAGE})
# What the customer's own switch did is confirmed whatever is frozen: it answers nothing.
CONFIRMATIONS = frozenset({OPTED_OUT, OPTED_IN})

READ_BACK = 40  # entries of the log that are looked at for signals
CUSTOMER_MESSAGES = (
    6  # the newest of the customer's that count: older ones belong to another matter
)
CARE_BY_ASSISTANT = "the assistant saw a need for special care"


def around(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    *,
    use: Use,
    now: datetime,
    revision: Revision | None = None,
    drift: Drift | None = None,
    begun_about: str = "",
) -> Circumstances:
    """Everything beside the text of something that is to be said in this conversation now.

    `begun_about` is the topic of a snippet that the text began as and was rewritten from.
    """
    assistant = use is Use.ASSISTANT
    return Circumstances(
        use=use,
        channel=conversation.channel,
        # The assistant's snippets exist in one language each, so none is asked for.
        locale=None if assistant else conversation.locale,
        now=now,
        notice=assistant and revision is not None and revision.key in NOTICES,
        revision=_of(desk, session, revision, conversation.channel, conversation.locale, now),
        conversation=facts_of(desk, session, conversation),
        begun_about=begun_about,
        word_for_word=drift is None or not drift.share,
        freezes=_freezes(session, revision, conversation.channel),
        drift=drift,
        limits=drift_limits(desk),
    )


def offered(
    desk: Desk,
    session: Session,
    revisions: Iterable[Revision],
    *,
    use: Use,
    channel: str,
    locale: str | None,
    frozen: FreezeState,
    now: datetime,
) -> dict[int, Circumstances]:
    """Everything beside the texts of candidates, by revision id; what the conversation says was asked before."""
    limit = _use_limit(desk, channel, locale)
    withheld = frozen.of(channel)
    return {
        revision.id: Circumstances(
            use=use,
            channel=channel,
            locale=locale,
            now=now,
            revision=_facts(session, revision, now, limit=limit),
            freezes=withheld,
        )
        for revision in revisions
    }


def leaving(
    desk: Desk, session: Session, leased: LeasedDelivery, *, now: datetime
) -> Circumstances:
    """Everything beside the bytes that are about to leave: what came up since they were queued counts, and what
    was known then was weighed then. Raises NotFound for a conversation or revision that is gone.
    """
    conversation = conversations.get(session, leased.conversation_id)
    assistant = leased.author == Author.BOT
    revision = (
        None if leased.revision_id is None else knowledge.get_revision(session, leased.revision_id)
    )
    channel, locale = conversation.channel, conversation.locale
    since = conversation.opted_out_at
    opted_out = assistant and since is not None and since > leased.created_at
    newer = [
        turn
        for turn in conversations.latest(session, conversation.id, limit=READ_BACK)
        if turn.id > leased.turn_id and turn.author is Author.CUSTOMER
    ]
    return Circumstances(
        use=Use.ASSISTANT if assistant else Use.AGENT,
        channel=channel,
        locale=None,  # asked when it was queued; the name of a language does not change in between
        now=now,
        notice=assistant and revision is not None and revision.key in NOTICES,
        revision=_of(desk, session, revision, channel, locale, now, but=leased.id),
        conversation=ConversationFacts(
            opted_out_at=since if opted_out else None,
            window=_window(desk, channel),
            last_customer_at=conversation.last_customer_at,
            topic=conversation.topic,
            care=_titles(desk.signals.read(_said(newer))) if assistant else (),
        ),
        word_for_word=revision is None or leased.text == revision.content.text,
        freezes=_freezes(session, revision, channel),
    )


def facts_of(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    *,
    told: Iterable[str] = (),
) -> ConversationFacts:
    """What is known of a conversation; `told` are messages that its log may not have."""
    turns = _matter(conversations.latest(session, conversation.id, limit=READ_BACK))
    opted_out_at, heard = conversation.opted_out_at, conversation.last_customer_at
    written = conversation.waiting_since is not None or (
        opted_out_at is not None and heard is not None and heard > opted_out_at
    )
    return ConversationFacts(
        opted_out_at=opted_out_at,
        written_since=written or opted_out_at is None,
        window=_window(desk, conversation.channel),
        last_customer_at=heard,
        topic=conversation.topic,
        care=_care(desk, turns, tuple(told)),
    )


def hand_over_reason(
    desk: Desk, session: Session, conversation: Conversation, *, told: Iterable[str] = ()
) -> HandOverReason | None:
    """Why the assistant must not answer this customer but pass them on at once; None if it may answer."""
    turns = _matter(conversations.latest(session, conversation.id, limit=READ_BACK))
    signals = desk.signals.read((*_said(turns), *told))
    if not signals:
        return None
    urgent = any(s.reason == HandOverReason.VULNERABLE.value for s in signals)
    return HandOverReason.VULNERABLE if urgent else HandOverReason.COMPLAINT


def needs_care(desk: Desk, session: Session, conversation: Conversation) -> tuple[str, ...]:
    """What in this conversation needs a person's care, in words."""
    return facts_of(desk, session, conversation).care


def drift_limits(desk: Desk) -> DriftLimits:
    """How far a text may be from its approved one before somebody has to say why."""
    return DriftLimits(warn=desk.settings.max_drift, block=desk.settings.block_drift)


def care_in(desk: Desk, messages: Sequence[str]) -> tuple[str, ...]:
    """What in these messages of a customer needs a person, in words."""
    return _titles(desk.signals.read(tuple(messages)[-CUSTOMER_MESSAGES:]))


def _care(desk: Desk, turns: Sequence[Turn], told: tuple[str, ...]) -> tuple[str, ...]:
    found = _titles(desk.signals.read((*_said(turns), *told)))
    by_assistant = any(
        turn.kind is TurnKind.HAND_OVER
        and turn.detail.get("reason") == HandOverReason.VULNERABLE.value
        for turn in turns
    )
    return found or ((CARE_BY_ASSISTANT,) if by_assistant else ())


def _matter(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The entries since a person last gave the conversation back to the assistant: they had looked at the rest."""
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        if turn.kind is TurnKind.RELEASE and turn.detail.get("to") == Owner.BOT.value:
            return turns[place + 1 :]
    return turns


def _said(turns: Sequence[Turn]) -> tuple[str, ...]:
    texts = [t.text for t in turns if t.author is Author.CUSTOMER and t.kind is TurnKind.SAID]
    return tuple(texts[-CUSTOMER_MESSAGES:])


def _titles(signals: Iterable[Signal]) -> tuple[str, ...]:
    return tuple(signal.title for signal in signals)


def _window(desk: Desk, channel: str) -> timedelta | None:
    network = desk.channels.get(channel)
    return None if network is None else network.messaging_window


def facts_of_revision(
    desk: Desk, session: Session, revision: Revision, channel: str, *, now: datetime
) -> RevisionFacts | None:
    """What the gate has to know of a revision that is to be said by itself, in no conversation."""
    return _of(desk, session, revision, channel, revision.content.locale, now)


def _of(
    desk: Desk,
    session: Session,
    revision: Revision | None,
    channel: str,
    locale: str | None,
    now: datetime,
    *,
    but: str | None = None,
) -> RevisionFacts | None:
    """The facts of a revision, with its uses where a pack that is on limits them."""
    if revision is None:
        return None
    return _facts(session, revision, now, limit=_use_limit(desk, channel, locale), but=but)


def _facts(
    session: Session,
    revision: Revision,
    now: datetime,
    *,
    limit: int | None,
    but: str | None = None,
) -> RevisionFacts:
    uses = 0
    if limit is not None:
        since = now - USE_WINDOW
        uses = delivery.count_uses(session, revision.id, since=since, but=but)
    content = revision.content
    return RevisionFacts(
        key=revision.key,
        number=revision.number,
        status=revision.status,
        live=revision.live,
        author=revision.author,
        approved_by=revision.approved_by,
        locale=content.locale,
        channels=content.channels,
        topic=content.topic,
        valid_from=content.valid_from,
        valid_until=content.valid_until,
        uses=uses,
        use_limit=limit,
        recall=_recall(session, revision),
    )


def _recall(session: Session, revision: Revision) -> RecallFacts | None:
    """How a revision was pulled; a live one was not, and is not asked about."""
    if revision.status is not Status.RETIRED:
        return None
    found = recalls.of_revision(session, revision.id)
    return None if found is None else RecallFacts(by=found.by, at=found.at, reason=found.reason)


def _freezes(session: Session, revision: Revision | None, channel: str) -> FreezeState:
    """What withholds something on this channel, as this transaction sees it."""
    if revision is not None and revision.key in CONFIRMATIONS:
        return FreezeState()
    return freezes.in_force(session).of(channel)


def _use_limit(desk: Desk, channel: str, locale: str | None) -> int | None:
    """The least that a pack allows which is there and on."""
    policy = desk.policy
    if policy is None:
        return None
    limits = (
        limit
        for pack, limit in USE_LIMITS.items()
        if policy.switches.is_on(pack, channel=channel, locale=locale or "en")
        and any(rule.pack == pack for rule in policy.rules)
    )
    return min(limits, default=None)


def revision_of(session: Session, revision_id: int | None) -> Revision | None:
    """The revision of this id, if there is one."""
    if revision_id is None:
        return None
    try:
        return knowledge.get_revision(session, revision_id)
    except NotFound:
        return None
