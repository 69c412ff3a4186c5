"""A customer and an agent played by a program, with what people use: the chat's API and the console's pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx

TIMEOUT_SECONDS = 15.0
CONVERSATION = re.compile(r"^/console/conversations/([0-9a-f]{32})$")


class Customer:
    """Somebody who writes through the network double."""

    def __init__(self, name: str, *, network: str) -> None:
        self.name = name
        # trust_env=False: a proxy setting of the machine must not carry loopback traffic away.
        self._http = httpx.Client(base_url=network, timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Leave the network."""
        self._http.close()

    def write(self, text: str, **weather: Any) -> str:
        """Send a message; its id."""
        answer = self._http.post("/api/events", json={"as": self.name, "text": text, **weather})
        return str(answer.raise_for_status().json()["message_id"])

    def messages(self) -> list[dict[str, Any]]:
        """The whole chat as the customer sees it."""
        answer = self._http.get("/api/messages", params={"as": self.name})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
        return found

    def replies(self) -> list[dict[str, Any]]:
        """What the brand wrote."""
        return [message for message in self.messages() if message["from"] == "brand"]

    def look(self) -> None:
        """Read everything that came."""
        self._http.post("/api/seen", json={"as": self.name}).raise_for_status()


@dataclass(frozen=True, slots=True)
class OfferedDraft:
    """One draft above the composer."""

    draft_id: str
    text: str
    title: str


class Agent:
    """Somebody who works in the console with a browser's requests: forms, cookie and CSRF token included."""

    def __init__(self, *, service: str) -> None:
        self._http = httpx.Client(base_url=service, timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the browser."""
        self._http.close()

    def sign_in(self, name: str, password: str) -> bool:
        """Fill in the form; whether it was accepted."""
        answer = self._http.post("/console/sign-in", data={"name": name, "password": password})
        return answer.status_code == httpx.codes.SEE_OTHER

    def is_signed_in(self) -> bool:
        """Whether the browser has a session; the service may have ended it."""
        return bool(self._http.cookies)

    def waiting(self) -> dict[str, str]:
        """Conversation ids of the list of those waiting for a person, by the customer's name."""
        return _links(self._page("/console/inbox"), before="Recent")

    def conversations(self) -> dict[str, str]:
        """Conversation ids of both lists of the inbox, by the customer's name."""
        return _links(self._page("/console/inbox"), before=None)

    def story(self, conversation_id: str) -> dict[str, str]:
        """The hand-over's summary and the known facts, as the page names them."""
        page = self._page(f"/console/conversations/{conversation_id}/story")
        return dict(zip(page.texts_of("dt"), page.texts_of("dd"), strict=True))

    def drafts(self, conversation_id: str) -> list[OfferedDraft]:
        """The drafts that are offered now."""
        page = self._page(f"/console/conversations/{conversation_id}/drafts")
        texts = [node.text for node in page.nodes if "data-text" in node.attributes]
        buttons = [node for node in page.nodes if "data-draft" in node.attributes]
        return [
            OfferedDraft(button.attributes["data-draft"], text, button.attributes.get("title", ""))
            for button, text in zip(buttons, texts, strict=True)
        ]

    def take(self, conversation_id: str) -> None:
        """Claim the conversation, unless it is this agent's already."""
        path = f"/console/conversations/{conversation_id}"
        form = self._form(path, action=f"{path}/claim")
        if form:
            answer = self._http.post(f"{path}/claim", data=form)
            if answer.status_code != httpx.codes.SEE_OTHER:
                answer.raise_for_status()

    def verdict(self, conversation_id: str, text: str, *, draft_id: str) -> str:
        """What the composer says of a text, in words."""
        path = f"/console/conversations/{conversation_id}"
        form = {**self._composer(path), "text": text, "draft_id": draft_id}
        answer = self._http.post(f"{path}/check", data=form).raise_for_status()
        return _Page(answer.text).text

    def reply(self, conversation_id: str, text: str, *, draft_id: str) -> bool:
        """Send; whether the console accepted it (it then shows the conversation again)."""
        path = f"/console/conversations/{conversation_id}"
        form = {**self._composer(path), "text": text, "draft_id": draft_id}
        return self._http.post(f"{path}/reply", data=form).status_code == httpx.codes.SEE_OTHER

    def thread(self, conversation_id: str) -> list[str]:
        """Every entry of the conversation with what stands below it."""
        return self._page(f"/console/conversations/{conversation_id}/thread").texts_of("li")

    def _composer(self, path: str) -> dict[str, str]:
        return self._form(path, action=f"{path}/reply")

    def _form(self, path: str, *, action: str) -> dict[str, str]:
        """The hidden fields of the form with this action; empty when the page has none."""
        return self._page(path).hidden_fields(action)

    def _page(self, path: str) -> _Page:
        return _Page(self._http.get(path).raise_for_status().text)


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: dict[str, str]
    form: str | None
    text: str = ""


VOID = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
)


class _Page(HTMLParser):
    """The elements of a page in document order, each with the text inside it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[_Node] = []
        self._open: list[_Node] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())
        for node in self.nodes:
            node.text = " ".join(node.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element and which form it is in."""
        attributes = {name: value or "" for name, value in attrs}
        form = next((each for each in reversed(self._open) if each.tag == "form"), None)
        node = _Node(tag, attributes, form.attributes.get("action") if form else None)
        self.nodes.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element of this name."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].tag == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        """Text belongs to every element around it."""
        self.text += data
        for node in self._open:
            node.text += data

    def texts_of(self, tag: str) -> list[str]:
        """The text of each element of this name."""
        return [node.text for node in self.nodes if node.tag == tag]

    def hidden_fields(self, action: str) -> dict[str, str]:
        """Names and values of the hidden inputs of one form."""
        return {
            node.attributes["name"]: node.attributes.get("value", "")
            for node in self.nodes
            if node.tag == "input"
            and node.attributes.get("type") == "hidden"
            and node.form == action
        }


def _links(page: _Page, *, before: str | None) -> dict[str, str]:
    """Customer's name -> conversation id, up to the heading `before`."""
    found: dict[str, str] = {}
    current: str | None = None
    for node in page.nodes:
        if before is not None and node.tag in ("h2", "h3") and node.text == before:
            break
        match = CONVERSATION.match(node.attributes.get("href", "")) if node.tag == "a" else None
        if match:
            current = match.group(1)
        elif node.tag == "bdi" and current is not None:
            found.setdefault(node.text, current)
            current = None
    return found
