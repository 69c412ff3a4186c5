"""The rule on links: every address in the text, however it is written, must be on the allow-list."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import regex

from knowledge_base.policy.detectors import Detector, Hit, Settings
from knowledge_base.policy.reading import Folded, Judged
from knowledge_base.wording import links_in, top_level_domains

# What separates one address from the next. Brackets, quotation marks and commas end an address, too.
_CHUNK = regex.compile(r"[^\s<>\"“”«»{}|,]++")
_IDEOGRAPHIC_DOT = "\u3002"  # what folding makes of the others as well
# Dots written to hide an address: a[.]com, a(dot)com, a dot com.
_DEFANGED = regex.compile(r"\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?")
_SPOKEN_DOMAIN = r"(?:com|net|org|co|io|ly|info|app|me|uk|de|fr|shop|store|online|site|xyz|biz|gl|gg|link|page)\b"
_SPOKEN = regex.compile(
    rf"(?<=[\p{{L}}\p{{N}}])(?:\s+(?:dot|punkt|period)\s+|\s\.\s?|\s?[-_*]dot[-_*]\s?)(?={_SPOKEN_DOMAIN})"
)
# "http colon slash slash": a scheme told in words, or one that is not https.
_TOLD_SCHEME = regex.compile(
    r"(?<![\p{L}\p{N}])(?:(?:http|hxxps?|ftp)(?![\p{L}\p{N}]|:/)|https?\s(?:colon|:)|www\.?\s[\p{L}\p{N}-]{2,40}+)"
)
_SCHEME = regex.compile(r"[a-z][a-z0-9+.-]{0,15}+:/{1,3}|(?<![\p{L}\p{N}])(?:https?|hxxps?):")
_PIECE = regex.compile(r"[^/\\?#:@=&()\[\]!;'’*…]++")
_AUTHORITY = regex.compile(r"[^/?#]*+")
_LABEL_HEAD = regex.compile(r"[a-z0-9-]*+")
_SECOND_ADDRESS = regex.compile(r"//|@|\\|%2f%2f|%5c|https?(?::|%3a)")
_HOST_OR_SCHEME = regex.compile(r"\.\S|:")
_TRAILING = ".,;:!?)]'’…"


def allowed_links(settings: Settings) -> Detector:
    """A link is allowed when its host is exactly one of `hosts`, reached by https or written bare, and nothing
    is hidden.

    Refused are any other host or scheme, http, a port, a user before @, an address inside another, an internet
    address in numbers, letters that only look like those of an allowed host, and `schemes` that need no host
    (mailto:, tel:).
    """
    settings.expect("hosts", "schemes")
    hosts = frozenset(host.casefold() for host in settings.phrases("hosts"))
    schemes = "|".join(regex.escape(name) for name in settings.phrases("schemes"))
    bare_scheme = regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{schemes}):(?=\S)")

    def detect(judged: Judged) -> Iterator[Hit]:
        view = _undisguised(judged.folded)
        seen: list[tuple[int, int]] = []
        for start, end, reason in _addresses(view.text, hosts, bare_scheme):
            span = view.span(start, end)
            seen.append(span)
            # Full-width letters or hidden characters would show another text than the one that was compared.
            if not reason and judged.text[slice(*span)].casefold() != view.text[start:end]:
                reason = "is written with characters that only look like the address"
            if reason:
                yield Hit(span, reason=f"the link {reason}")
        for match in _TOLD_SCHEME.finditer(judged.folded.text):
            span = judged.folded.span(*match.span())
            if all(span[1] <= start or span[0] >= end for start, end in seen):
                yield Hit(
                    span, reason="the link is not written as https and one of the allowed hosts"
                )
        yield from _unseen(judged.text, seen)

    return detect


def _unseen(text: str, seen: list[tuple[int, int]]) -> Iterator[Hit]:
    """What X would turn into a link although the scan above saw none there."""
    index = 0
    for start, end in links_in(text):
        while index < len(seen) and seen[index][1] <= start:
            index += 1
        if index == len(seen) or seen[index][0] >= end:
            yield Hit((start, end), reason="the link is not on the list of allowed hosts")


def _undisguised(folded: Folded) -> Folded:
    """The folded text with disguised dots and schemes written plainly."""
    text = folded.text.replace(_IDEOGRAPHIC_DOT, ".")
    dots = [*_DEFANGED.finditer(text), *_SPOKEN.finditer(text)]
    if not dots:
        return Folded(text, folded.origins)  # for speed alone: most texts
    pieces: list[str] = []
    origins: list[int] = []
    position = 0
    for match in sorted(dots, key=lambda found: found.start()):
        pieces += (text[position : match.start()], ".")
        origins += folded.origins[position : match.start()]
        origins.append(folded.origins[match.start()])
        position = match.end()
    pieces.append(text[position:])
    origins += folded.origins[position:]
    return Folded("".join(pieces), tuple(origins))


def _addresses(
    text: str, hosts: frozenset[str], bare_scheme: regex.Pattern[str]
) -> Iterator[tuple[int, int, str]]:
    """Every address: start, end, and why it is refused ("" when it is allowed)."""
    has_any = _HOST_OR_SCHEME.search(text)  # for speed alone
    for chunk in _CHUNK.finditer(text) if has_any else ():
        start, end = chunk.span()
        if bare := bare_scheme.search(text, start, end):
            yield start, end, f"uses {bare.group()} and not https"
        elif scheme := _SCHEME.search(text, start, end):
            reason = _with_scheme(text, scheme.end(), end, scheme.group(), hosts)
            yield scheme.start(), _trimmed(text, scheme.start(), end), reason
        elif "." in chunk.group():
            yield from _bare(text, start, end, hosts)


def _trimmed(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip(_TRAILING))


def _with_scheme(text: str, start: int, end: int, scheme: str, hosts: frozenset[str]) -> str:
    if scheme != "https://":
        return f"uses {scheme} and not https://"
    host = next(_AUTHORITY.finditer(text, start, end)).group().rstrip(_TRAILING)
    rest = text[start + len(host) : end]
    return _refusal(host, rest, hosts)


def _refusal(host: str, rest: str, hosts: frozenset[str]) -> str:
    if "@" in host:
        return "has a user name before its host"
    if ":" in host:
        return "names a port"
    if host not in hosts:
        alike = "" if host.isascii() and "xn--" not in host else ", and it may imitate one"
        return f"leads to a host that is not on the list of allowed hosts{alike}"
    if _SECOND_ADDRESS.search(rest):
        return "has a second address inside"
    return ""


def _bare(
    text: str, start: int, end: int, hosts: frozenset[str]
) -> Iterator[tuple[int, int, str]]:
    """Addresses without a scheme: a piece of the chunk that ends in a top-level domain, or is an IP address."""
    for piece in _PIECE.finditer(text, start, end):
        host_end = _host_end(text, *piece.span())
        if not host_end:
            continue
        host = text[piece.start() : host_end]
        if text[piece.start() - 1 : piece.start()] == "@":
            allowed = host in hosts
            yield piece.start(), host_end, "" if allowed else "is an e-mail address elsewhere"
            continue
        rest = text[host_end:end].rstrip(_TRAILING)
        reason = "names a port" if regex.match(r":[0-9]", rest) else _refusal(host, rest, hosts)
        if reason.startswith("leads"):
            reason += "; if it is no link, put a space after the full stop"
        yield piece.start(), _trimmed(text, piece.start(), end), reason
        if not reason:
            return  # the rest is the path of an allowed link


def _host_end(text: str, start: int, end: int) -> int:
    """End of the longest host name at the start of text[start:end], 0 if there is none."""
    labels = text[start:end].split(".")
    if len(labels) == 4 and _is_ip(".".join(labels)):  # IPv4 has four parts
        return end
    position = start
    best = 0
    for index, label in enumerate(labels):
        if index and labels[index - 1] and (size := _top_level(label)):
            best = position + size
        position += len(label) + 1
    return best


def _top_level(label: str) -> int:
    """Length of the top-level domain that a label is or begins with, 0 if none."""
    if label in top_level_domains():
        return len(label)
    name = next(_LABEL_HEAD.finditer(label)).group()
    return len(name) if name in top_level_domains() or name.startswith("xn--") else 0


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
