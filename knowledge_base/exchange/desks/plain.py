"""HTML and the little Markdown of chat desks to the one line of plain text that a snippet is (pure)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Their words are not shown to anybody.
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript"})
# What a browser puts on a line of its own; a line end becomes a space here.
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "blockquote",
            "br",
            "dd",
            "div",
            "dl",
            "dt",
            "footer",
            "h1",
            "h2",
            "h3",
        ),
        *(
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "ol",
            "p",
            "pre",
            "section",
            "table",
            "td",
            "th",
            "tr",
        ),
        "ul",
    }
)
_OPENS_NOTHING = re.compile(r"<(?![^<>]*>)")
_MARKED_LINK = re.compile(r"\[([^\[\]]{1,500})\]\((https?://[^\s()]{1,500})\)")
_MARKED_STRONG = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,500})(?<=\S)\1")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!~>-])")
_SPACE = re.compile(r"[\s\u00a0\u200b\u2028\u2029]+")


def from_html(html: str) -> str:
    """The words of an HTML text in one line; the address of a link follows its words where they are others."""
    reader = _Words()
    # The parser looks for the end of every "<" again and again; one that opens nothing is only a character.
    reader.feed(_OPENS_NOTHING.sub("&lt;", _without_comments(html)))
    reader.close()
    return one_line("".join(reader.words))


def from_markdown(text: str) -> str:
    """Plain text in one line, without the marks for links and strong words and the escapes that editors write."""
    text = _MARKED_LINK.sub(lambda m: _linked(m[1], m[2]), text)
    text = _MARKED_STRONG.sub(r"\2", text)
    return one_line(_ESCAPED.sub(r"\1", text.replace("\\\n", "\n")))


def one_line(text: str) -> str:
    """White space of any kind folded to single spaces."""
    return _SPACE.sub(" ", text).strip()


def _without_comments(html: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := html.find("<!--", at)) >= 0 and (end := html.find("-->", start + 4)) >= 0:
        kept.append(html[at:start])
        at = end + 3
    return "".join(kept) + html[at:]


class _Words(HTMLParser):
    """Collects what a reader would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._unseen = 0
        self._links: list[tuple[str, int]] = []  # the address, and where its words begin

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.words.append("\n")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.words)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.words.append("\n")
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            if address.lower().startswith(("https://", "http://")):
                self.words[start:] = [_linked("".join(self.words[start:]), address)]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)


def _linked(words: str, address: str) -> str:
    bare = address.split("://", 1)[1].rstrip("/")
    return words if bare in words else f"{words} {address}"
