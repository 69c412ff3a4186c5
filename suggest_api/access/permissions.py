"""Who may do what, in one table: actions on one side, the roles that may take them on the other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from suggest_api.access.model import Identity, Role
from suggest_api.errors import NotAllowed


class Action(StrEnum):
    """Something that a person may want to do; every page and form of the console names one."""

    READ_INBOX = "read the inbox"
    REPLY = "reply to customers"
    SETTLE_DELIVERY = "settle a delivery that nobody can vouch for"
    READ_POLICY = "read the policy and try texts on it"
    VIEW_KNOWLEDGE = "view snippets"
    VIEW_COVERAGE = "view the questions that no snippet answers"
    WRITE = "write and edit snippets"
    SUBMIT = "submit a draft for review"
    WITHDRAW = "withdraw a submission"
    DISCARD = "discard a draft of their own"
    REOPEN = "reopen a retired snippet"
    COMMENT = "comment on a revision"
    SIGN_OFF = "sign off a revision"
    RETURN = "return a revision to its author"
    REVERIFY = "verify a live snippet again"
    RETIRE = "retire a revision"
    RECALL = "recall a snippet"
    PUBLISH = "publish what is approved"
    ROLL_BACK = "go back to an earlier publication"
    ASK_OVERRIDE = "ask to set a refused publication's findings aside"
    CONFIRM_OVERRIDE = "confirm an override that somebody else asked for"
    FREEZE = "freeze topics"
    THAW = "thaw topics"
    DRILL = "start and end a drill"
    IMPORT = "import snippets"
    EXPORT = "export snippets"
    EDIT_GOLDEN = "edit the golden questions"
    SET_REVIEW_PATH = "set review paths"
    EDIT_POLICY = "propose changes of the policy"
    APPROVE_POLICY = "put a policy in force that somebody else proposed, or return it"
    READ_AUDIT = "read the audit log"
    VERIFY_PROOF = "verify proofs"
    MANAGE_PEOPLE = "manage people and their roles"


def _by(*roles: Role) -> frozenset[Role]:
    """An admin may do everything; that author and approver of one text are two people is the workflow's to say."""
    return frozenset((*roles, Role.ADMIN))


_CONTENT = (Role.AUTHOR, Role.APPROVER, Role.PUBLISHER)

PERMISSIONS: Mapping[Action, frozenset[Role]] = MappingProxyType(
    {
        Action.READ_INBOX: _by(Role.AGENT),
        Action.REPLY: _by(Role.AGENT),
        Action.SETTLE_DELIVERY: _by(Role.AGENT),
        Action.READ_POLICY: _by(*Role),
        Action.VIEW_KNOWLEDGE: _by(*_CONTENT, Role.AUDITOR),
        Action.VIEW_COVERAGE: _by(*_CONTENT, Role.AUDITOR),
        Action.WRITE: _by(Role.AUTHOR),
        Action.SUBMIT: _by(Role.AUTHOR),
        Action.WITHDRAW: _by(Role.AUTHOR),
        Action.DISCARD: _by(Role.AUTHOR),
        Action.REOPEN: _by(Role.AUTHOR),
        Action.COMMENT: _by(*_CONTENT),
        Action.SIGN_OFF: _by(Role.APPROVER),
        Action.RETURN: _by(Role.APPROVER),
        Action.REVERIFY: _by(Role.APPROVER),
        Action.RETIRE: _by(Role.APPROVER, Role.PUBLISHER),
        Action.RECALL: _by(Role.APPROVER, Role.PUBLISHER),
        Action.PUBLISH: _by(Role.PUBLISHER),
        Action.ROLL_BACK: _by(Role.PUBLISHER),
        Action.ASK_OVERRIDE: _by(Role.PUBLISHER),
        Action.CONFIRM_OVERRIDE: _by(),
        Action.FREEZE: _by(Role.APPROVER, Role.PUBLISHER),
        Action.THAW: _by(Role.PUBLISHER),
        Action.DRILL: _by(Role.PUBLISHER),
        Action.IMPORT: _by(Role.AUTHOR),
        Action.EXPORT: _by(*_CONTENT, Role.AUDITOR),
        Action.EDIT_GOLDEN: _by(Role.APPROVER, Role.PUBLISHER),
        Action.SET_REVIEW_PATH: _by(),
        Action.EDIT_POLICY: _by(Role.AUTHOR, Role.APPROVER),
        Action.APPROVE_POLICY: _by(Role.APPROVER),
        Action.READ_AUDIT: _by(Role.AUDITOR),
        Action.VERIFY_PROOF: _by(Role.AUDITOR),
        Action.MANAGE_PEOPLE: _by(),
    }
)


def may(identity: Identity, action: Action) -> bool:
    """Whether one of the person's roles may do this."""
    return not identity.roles.isdisjoint(PERMISSIONS[action])


def require(identity: Identity, action: Action) -> None:
    """Raise NotAllowed, naming the roles that may, unless one of the person's roles may do this."""
    if not may(identity, action):
        roles = " or ".join(sorted(role.value for role in PERMISSIONS[action]))
        msg = f"to {action.value} takes the role {roles}: ask an admin"
        raise NotAllowed(msg)
