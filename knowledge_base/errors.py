"""The error tree of the knowledge base: pure classes that know nothing of HTTP or exit codes.

FirstlineError
├── WordingError               a text that cannot be measured, normalised or filled
├── ContentError               snippet content that breaks a rule of its own
│   ├── ImportRefused          an import file with bad rows: nothing was imported
│   └── UnreadableFile         a file that is too large, no text, or of no known kind
├── WorkflowError              a transition that is not allowed
│   ├── SamePerson             the approver is the author
│   ├── PolicyBlocked          the text breaks a blocking rule
│   ├── StaleRevision          someone else changed it in between
│   ├── EditConflict           someone else saved another revision while this one was written
│   ├── PolicyConflict         another policy came into force while this one was written
│   └── PolicyRefused          a proposed policy that may not go on; nothing changed
├── NotFound                   no such snippet, revision, generation or draft
├── GenerationError            an index generation that cannot be used
│   ├── GenerationCorrupt      a file is missing, truncated or changed
│   ├── GenerationForeign      made by another encoder or format version
│   ├── NothingToBuild         there is no approved snippet
│   ├── GateRefused            a candidate loses more questions than the limits allow
│   ├── StaleCandidate         what is live changed since the candidate was compared with it
│   └── NothingToTune          there are too few approved phrasings to learn from
├── EncoderError               an encoder that cannot be used
│   ├── EncoderMissing         none was exported yet
│   └── EncoderCorrupt         the hash of a file is not the one expected
├── PolicyError                a policy pack that cannot be loaded
│   └── PolicyUnavailable      no policy: the gate says no
├── AuditBroken                the audit chain does not hold, so it is not signed
├── ProofFailed                a draft cannot be rebuilt from what is stored
└── ConfigurationError         a setting that is missing, weak or contradictory
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge_base.snippet import Revision


class FirstlineError(Exception):
    """Root of every error that Firstline raises on purpose; the message says what, where and how to mend it."""


class WordingError(FirstlineError):
    """A text that cannot be measured, normalised or filled."""


class ContentError(FirstlineError):
    """Snippet content that breaks a rule of its own."""


class ImportRefused(ContentError):
    """An import file has bad rows; nothing was imported.

    `problems` names each one; `report` says what the other rows would have done, where that is known.
    """

    def __init__(
        self, message: str, *, problems: tuple[object, ...] = (), report: object = None
    ) -> None:
        super().__init__(message)
        self.problems = problems
        self.report = report


class UnreadableFile(ContentError):
    """A file that is too large, no text, or of no known kind."""


class WorkflowError(FirstlineError):
    """A transition that the workflow does not allow."""


class SamePerson(WorkflowError):
    """The approver is the author: two people are needed."""


class PolicyBlocked(WorkflowError):
    """The text breaks a blocking rule; `verdict` holds the findings."""

    def __init__(self, message: str, *, verdict: object) -> None:
        super().__init__(message)
        self.verdict = verdict


class StaleRevision(WorkflowError):
    """Someone else changed the same thing in between."""


class EditConflict(WorkflowError):
    """Someone else saved another revision while this one was written; `theirs` is that revision."""

    def __init__(self, message: str, *, theirs: Revision) -> None:
        super().__init__(message)
        self.theirs = theirs


class PolicyConflict(WorkflowError):
    """Another policy came into force while this one was written; the message names the files that both changed."""


class PolicyRefused(WorkflowError):
    """A proposed policy may not go on: `faults` names each thing with file, line and how to mend it."""

    def __init__(self, message: str, *, faults: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class NotFound(FirstlineError):
    """There is no such snippet, revision, generation, draft or conversation."""


class GenerationError(FirstlineError):
    """An index generation that cannot be used."""


class GenerationCorrupt(GenerationError):
    """A file of the generation is missing, truncated or changed."""


class GenerationForeign(GenerationError):
    """The generation was made by another encoder or another format version."""


class NothingToBuild(GenerationError):
    """There is no approved snippet to build a generation from."""


class GateRefused(GenerationError):
    """A candidate loses more questions than the limits allow; `report` has them, `publication` is its id."""

    def __init__(self, message: str, *, report: object, publication: int) -> None:
        super().__init__(message)
        self.report = report
        self.publication = publication


class StaleCandidate(GenerationError):
    """What is live changed since the comparison; `publication` is the id of the one that is compared anew."""

    def __init__(self, message: str, *, publication: int) -> None:
        super().__init__(message)
        self.publication = publication


class NothingToTune(GenerationError):
    """There are too few approved phrasings to learn from."""


class EncoderError(FirstlineError):
    """An encoder that cannot be used."""


class EncoderMissing(EncoderError):
    """No encoder was exported yet."""


class EncoderCorrupt(EncoderError):
    """The hash of an encoder's file is not the one expected."""


class PolicyError(FirstlineError):
    """A policy pack that cannot be loaded; `file` and `line` (from 1) say where, as far as that is known."""

    def __init__(self, message: str, *, file: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line


class PolicyUnavailable(PolicyError):
    """No policy is loaded: the gate says no."""


class AuditBroken(FirstlineError):
    """The audit chain does not hold, so no checkpoint of it is signed; the message names the entry."""


class ProofFailed(FirstlineError):
    """A draft cannot be rebuilt byte for byte from what is stored; the message names the part that differs."""


class ConfigurationError(FirstlineError):
    """A setting that is missing, weak or contradictory; the message names it."""
