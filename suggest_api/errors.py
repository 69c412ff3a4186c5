"""The error tree of the service: pure classes that know nothing of HTTP (see `problems.py` for that).

FirstlineError                     the root, shared with `knowledge_base.errors`
├── RequestError                   a request that cannot be served as it stands
│   ├── Malformed                  a body that is not UTF-8 or not JSON as we accept it
│   ├── Unprocessable              a readable body whose content cannot be used
│   ├── TooLarge                   a body over the cap of its route
│   └── UnsupportedEncoding        a compressed body, or one that is not JSON
├── AccessError                    who asks may not
│   ├── NotAuthenticated           no credential, or one that is unknown, expired or revoked
│   ├── NotAllowed                 a good credential without the scope or role needed
│   ├── TooManyAttempts            signing in is held back for a while
│   └── AccountExists              somebody of that name can sign in already
├── Refused                        the policy gate says no to a text
│   └── ReasonNeeded               the gate warns, and nobody said why to send it all the same
├── DraftError                     something a draft's state does not allow
│   ├── DraftDecided               it was decided otherwise before
│   └── DraftDiffers               text, draft and conversation do not belong together
├── ConversationError              something a conversation's state does not allow
│   ├── OwnershipLost              somebody else owns the conversation, or it changed in between
│   └── CustomerOptedOut           the customer asked for no more messages
├── ChannelError                   an event or a send that a network's rules refuse
│   ├── UnknownAccount             no such channel or account is configured
│   ├── SignatureWrong             the event's signature is missing, wrong or too old
│   └── MalformedEvent             a signed event that cannot be read
├── DeliveryError                  something a delivery's state does not allow
├── FreezeError                    something a freeze's state does not allow
├── BotError                       the assistant gave no usable answer
└── StorageError                   the database cannot serve the request now
    └── StorageBusy                another writer held the database for too long
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge_base.errors import FirstlineError

if TYPE_CHECKING:
    from knowledge_base.policy import Finding


class RequestError(FirstlineError):
    """A request that cannot be served as it stands."""


class Malformed(RequestError):
    """A body that is not UTF-8, or not JSON as we accept it."""


class Unprocessable(RequestError):
    """A readable body whose content cannot be used."""


class TooLarge(RequestError):
    """A body over the cap of its route."""


class UnsupportedEncoding(RequestError):
    """A compressed body, or one of another media type than the route takes."""


class AccessError(FirstlineError):
    """Who asks may not."""


class NotAuthenticated(AccessError):
    """No credential, or one that is unknown, expired or revoked; which of them is never told."""


class NotAllowed(AccessError):
    """A good credential without the scope or role that is needed."""


class TooManyAttempts(AccessError):
    """Signing in is held back; `retry_after` is in whole seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccountExists(AccessError):
    """Somebody of that name can sign in already."""


class Refused(FirstlineError):
    """The policy gate says no to a text; `findings` say which rules and why."""

    def __init__(self, message: str, *, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class ReasonNeeded(Refused):
    """The gate warns about a text; whoever sends it all the same has to say why."""


class DraftError(FirstlineError):
    """Something a draft's state does not allow."""


class DraftDecided(DraftError):
    """The draft was decided otherwise before."""


class DraftDiffers(DraftError):
    """Text, draft and conversation do not belong together."""


class ConversationError(FirstlineError):
    """Something a conversation's state does not allow."""


class OwnershipLost(ConversationError):
    """Somebody else owns the conversation, or it changed in between."""


class CustomerOptedOut(ConversationError):
    """The customer asked for no more messages."""


class ChannelError(FirstlineError):
    """An event or a send that a network's rules refuse."""


class UnknownAccount(ChannelError):
    """No such channel or account is configured."""


class SignatureWrong(ChannelError):
    """The event's signature is missing, wrong or too old."""


class MalformedEvent(ChannelError):
    """A signed event that cannot be read."""


class DeliveryError(FirstlineError):
    """Something a delivery's state does not allow."""


class FreezeError(FirstlineError):
    """Something a freeze's state does not allow: it is thawed, or in force already."""


class BotError(FirstlineError):
    """The assistant gave no usable answer."""


class StorageError(FirstlineError):
    """The database cannot serve the request now."""


class StorageBusy(StorageError):
    """Another writer held the database for too long; the same request may be sent again."""
