"""What the composition root built: everything that the stages of one request need, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from suggest_api.compliance.signals import Signals, load_signals
from suggest_api.metrics import Metrics
from suggest_api.settings import Settings
from suggest_api.storage.unit_of_work import Together
from suggest_api.values import Clock

if TYPE_CHECKING:
    from knowledge_base.policy import Policy
    from suggest_api.bot_client import BotClient
    from suggest_api.channels.port import Channel
    from suggest_api.compliance.holder import PolicySource
    from suggest_api.suggestions.service import GenerationHolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts of one process; `bot` None means that people answer from the start.

    `signals` is what in a customer's words needs a person.
    """

    settings: Settings
    engine: Engine
    clock: Clock
    policies: PolicySource
    generations: GenerationHolder
    metrics: Metrics
    channels: Mapping[str, Channel]
    bot: BotClient | None = None
    signals: Signals = field(default_factory=load_signals)
    together: Together = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # One for each engine: it gathers the requests of this process.
        object.__setattr__(self, "together", Together(self.engine))

    @property
    def policy(self) -> Policy | None:
        """The policy in force; None means that it could not be loaded: the gate then refuses everything.

        Whoever decides about a text within a transaction asks `policies.at(session)`.
        """
        return self.policies.current
