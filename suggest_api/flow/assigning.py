"""Who waits for a person without a known topic gets the team of a freeze that their words are about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from knowledge_base.wording import clean_customer_text
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, Turn, TurnKind
from suggest_api.flow import withholding
from suggest_api.flow.circumstances import READ_BACK
from suggest_api.flow.desk import Desk
from suggest_api.freezes import service as freezes
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.values import Author, Freeze, FreezeState

# Looked at in one step: at about 5 ms each a step stays short, and the rest follows with the next.
AT_ONCE = 50

log = get_logger(__name__)


class Assigner:
    """Looks at each customer who waits once for each message and state of the freezes; one for a process.

    A hand-over names a topic. A conversation that a person had all along has none, so the words tell: what their
    best answer is about. That is a guess, so it gives the conversation a team and blocks nothing.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._frozen: tuple[int, ...] = ()
        self._looked: dict[str, int] = {}  # conversation -> its log's length when it was looked at

    def step(self) -> int:
        """Give the next ones to their team; returns how many got one. Costs one look while nothing is frozen."""
        with unit_of_work.read(self._desk.engine) as session:
            state = freezes.in_force(session)
            topics = [f for f in state.freezes if f.topic and not f.drill]
            waiting = conversations.on_topic(session, topic="", channel="") if topics else ()
        frozen = tuple(f.id for f in topics)
        mine = [c for c in waiting if not c.topic and not c.team]
        if frozen != self._frozen:
            self._looked.clear()
        self._frozen = frozen
        self._looked = {c.id: self._looked[c.id] for c in mine if c.id in self._looked}
        fresh = [c for c in mine if self._looked.get(c.id) != c.last_seq][:AT_ONCE]
        return sum(self._assign(conversation, state) for conversation in fresh)

    def _assign(self, conversation: Conversation, state: FreezeState) -> bool:
        freeze = self._freeze_of(conversation, state)
        if freeze is not None:
            with unit_of_work.write(self._desk.engine) as session:
                now = conversations.lock(session, conversation.id)
                still = now.waiting_since is not None and not now.topic and not now.team
                if still and freeze in freezes.in_force(session).freezes:
                    conversations.give_to_team(
                        session, [now.id], team=freeze.team, now=self._desk.clock()
                    )
                    log.info(
                        "freeze.assigned",
                        conversation_id=now.id,
                        freeze=freeze.id,
                        team=freeze.team,
                    )
                    return True
        self._looked[conversation.id] = conversation.last_seq
        return False

    def _freeze_of(self, conversation: Conversation, state: FreezeState) -> Freeze | None:
        """What freezes the topic of what the customer said last, oldest first."""
        with unit_of_work.read(self._desk.engine) as session:
            texts = _unanswered(conversations.latest(session, conversation.id, limit=READ_BACK))
        about = withholding.topic_asked(self._desk, conversation, *texts) if texts else ""
        return state.on(about, channel=conversation.channel) if about else None


def _unanswered(turns: Sequence[Turn]) -> list[str]:
    """What the customer said since anybody else did, cleaned, oldest first."""
    said = [turn for turn in turns if turn.kind is TurnKind.SAID]
    newest = takewhile(lambda turn: turn.author is Author.CUSTOMER, reversed(said))
    texts = [clean_customer_text(turn.text).text.strip() for turn in newest]
    return [text for text in reversed(texts) if text]
