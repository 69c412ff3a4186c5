"""Where X sees links in a text: the URL rules of twitter-text (with and without scheme), read by hand in linear
time.

The grammar is that of twitter-text's `extractUrlsWithIndices`. Its regular expressions take quadratic time on
dotted text, so this is a scanner: each run of host characters is cut at its dots once, and every possible start
is judged in constant time from a table filled from right to left.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

# twitter-text refuses a URL whose host, scheme and path together are longer than this.
MAX_URL_LENGTH = 4096
MAX_SHORT_LINK_SLUG = 40  # twitter-text, maxTcoSlugLength
MAX_HOST_LABEL = 63  # RFC 1035, section 2.3.4

_DIRECTIONAL = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_INVALID = "\ufffe\ufeff\uffff"
_SPACES = "\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_PUNCTUATION = r"""!'#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"""
_LATIN = (
    "\xc0-\xd6\xd8-\xf6\xf8-\xff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    "\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_CYRILLIC = "\u0400-\u04ff"

_DOT = re.compile(r"\.")
_INNER_DOT = re.compile(r"\.\S")
_HOST_RUN = re.compile(rf"(?:[^{_PUNCTUATION}{_SPACES}{_INVALID}{_DIRECTIONAL}]|[-_.])+")
_ASCII_HOST_RUN = re.compile(rf"[-a-z0-9{_LATIN}.]+", re.IGNORECASE)
_BEFORE_URL = re.compile(rf"[^A-Za-z0-9@＠$#＃{_INVALID}]")
_NOT_BEFORE_BARE_HOST = "-_./"
_SCHEME = re.compile(r"https?://\Z", re.IGNORECASE)
_ALNUM_RUN = re.compile(r"[0-9A-Za-z]*")
_PUNYCODE_DOMAIN = re.compile(r"xn--[-0-9a-z]+", re.IGNORECASE)
_NOT_AFTER_DOMAIN = re.compile(r"[0-9a-zA-Z@+-]")
_PORT = re.compile(r":[0-9]+")
_PATH_RUN = re.compile(
    rf"[a-z{_CYRILLIC}0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{_LATIN}]*", re.IGNORECASE
)
_PATH_END = re.compile(rf"[+\-a-z{_CYRILLIC}0-9=_#/{_LATIN}]", re.IGNORECASE)
_QUERY_RUN = re.compile(r"[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*", re.IGNORECASE)
_QUERY_TAIL = "!?*'@();:+$%[].,~|"  # query characters that cannot end a query
_SHORT_LINK = re.compile(r"https?://t\.co/([a-z0-9]+)", re.IGNORECASE)
_IDNA_DOTS = re.compile("[.\u3002\uff0e\uff61]")


@cache
def top_level_domains() -> frozenset[str]:
    """Every delegated top-level domain, lower case, internationalised ones in Unicode (content/tlds.txt)."""
    path = resources.files("knowledge_base").joinpath("content", "tlds.txt")
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def _international_lengths() -> tuple[int, ...]:
    """Lengths of the top-level domains outside ASCII, longest first."""
    return tuple(sorted({len(d) for d in top_level_domains() if not d.isascii()}, reverse=True))


def links_in(text: str) -> tuple[tuple[int, int], ...]:
    """Code point ranges [start, end) of the links that X would shorten in NFC `text`, in order, without
    overlap.
    """
    if not _INNER_DOT.search(text):
        return ()  # for speed alone: most texts
    found: list[tuple[int, int]] = []
    position = 0  # end of the last match; a URL needs one more character before it
    for match in _HOST_RUN.finditer(text):
        if match.end() <= position or "." not in match.group():
            continue
        run = _Run.cut(text, match.start(), match.end())
        while position < run.end:
            candidate = run.first_candidate(position)
            if candidate is None:
                break
            spans, position = _extent(text, candidate)
            found.extend(spans)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A host found by the grammar: `start` includes the scheme when there is one."""

    start: int
    host: int
    host_end: int


@dataclass(frozen=True, slots=True)
class _Run:
    """A maximal run of host characters: its dots, and for each the end of the longest host that starts behind
    it.
    """

    text: str
    start: int
    end: int
    dots: tuple[int, ...]
    underscores: tuple[int, ...]  # the last underscore of the label before each dot, -1 if none
    top_ends: tuple[int, ...]  # end of the top-level domain behind each dot, 0 if none
    reach: tuple[int, ...]  # end of the longest host that starts behind each dot, 0 if none

    @classmethod
    def cut(cls, text: str, start: int, end: int) -> _Run:
        dots = [match.start() for match in _DOT.finditer(text, start, end)]
        edges = zip([start, *dots], dots, strict=False)
        underscores = [text.rfind("_", first, last) for first, last in edges]
        tops = [_top_level_end(text, dot + 1, end) for dot in dots]
        reach = [0] * len(dots)
        for index in range(len(dots) - 2, -1, -1):
            first, last = dots[index] + 1, dots[index + 1]
            if _label(text, first, last):
                own = tops[index + 1] if underscores[index + 1] < 0 else 0
                reach[index] = reach[index + 1] or own
        return cls(text, start, end, tuple(dots), tuple(underscores), tuple(tops), tuple(reach))

    def first_candidate(self, position: int) -> _Candidate | None:
        """The leftmost host of this run that may start after `position`, or None."""
        scheme = self._scheme_start(position) if position <= self.start else None
        if scheme is not None and (host_end := self._host_end(self.start, 0)):
            return _Candidate(scheme, self.start, host_end)
        index = bisect_left(self.dots, position)
        for start in self._starts(position):
            while index < len(self.dots) and self.dots[index] < start:
                index += 1
            if index == len(self.dots):
                return None
            if host_end := self._host_end(start, index):
                return _Candidate(start, start, host_end)
        return None

    def _scheme_start(self, position: int) -> int | None:
        before = max(self.start - len("https://"), 0)
        match = _SCHEME.search(self.text[before : self.start])
        if match is None:
            return None
        start = before + match.start()
        if start == 0:
            return start
        return start if start > position and self._may_precede(start - 1) else None

    def _starts(self, position: int) -> Iterator[int]:
        """Starts of a bare host in the order the grammar tries them; at the start of the text, the second
        character first.
        """
        first = max(self.start, position + 1)
        if self.start == 0 and position == 0:
            if self._may_precede(0):
                yield 1
            yield 0
            first = 1
        for start in range(first, self.end):
            if self._may_precede(start - 1):
                yield start

    def _may_precede(self, index: int) -> bool:
        return _BEFORE_URL.match(self.text, index) is not None

    def _host_end(self, start: int, index: int) -> int:
        """End of the longest host whose first label starts at `start` and ends at dot `index`; 0 if there is
        none.
        """
        dot = self.dots[index] if self.dots else -1
        if dot < 0 or not _label(self.text, start, dot):
            return 0
        if self.reach[index]:
            return self.reach[index]
        # An underscore is allowed in a subdomain only.
        return self.top_ends[index] if self.underscores[index] < start else 0


def _label(text: str, start: int, end: int) -> bool:
    """Whether text[start:end], host characters without a dot, may be a label: not empty, no - or _ at either
    end.
    """
    return start < end and text[start] not in "-_." and text[end - 1] not in "-_"


def _top_level_end(text: str, start: int, limit: int) -> int:
    """End of the top-level domain that starts at `start`, or 0."""
    match = _ALNUM_RUN.match(text, start, limit)
    end = match.end() if match else start
    if punycode := _PUNYCODE_DOMAIN.match(text, start, limit):
        return punycode.end()
    lengths = _international_lengths()
    ends = [end] if start < end else []
    ends += [start + length for length in lengths if start + length <= limit]
    for end in ends:
        if text[start:end].lower() in top_level_domains() and not _NOT_AFTER_DOMAIN.match(
            text, end
        ):
            return end
    return 0


def _extent(text: str, candidate: _Candidate) -> tuple[list[tuple[int, int]], int]:
    """The links of one candidate and where the search goes on: port, path and query belong to the match."""
    end = candidate.host_end
    if port := _PORT.match(text, end):
        end = port.end()
    path_end = _path_end(text, end)
    has_path = path_end > end
    end = _query_end(text, path_end)
    if not _resolvable(text, candidate, end):
        return [], end
    if candidate.start < candidate.host:
        return _with_scheme(text, candidate.start, end)
    if candidate.start > 0 and text[candidate.start - 1] in _NOT_BEFORE_BARE_HOST:
        return [], end
    hosts = list(_ascii_hosts(text, candidate.host, candidate.host_end))
    if hosts and has_path:
        hosts[-1] = (hosts[-1][0], end)
    return hosts, end


def _with_scheme(text: str, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """A link with a scheme; X's own short links end after their slug, and are none when that is too long."""
    short = _SHORT_LINK.match(text, start, end)
    if short is None:
        return [(start, end)], end
    if len(short.group(1)) > MAX_SHORT_LINK_SLUG:
        return [], end
    return [(start, _query_end(text, short.end()))], end


def _path_end(text: str, start: int) -> int:
    """End of the path that starts at `start`.

    It ends in an ending character, or in a balanced pair of parentheses that follows one directly. Any other
    balanced pair is part of the path only when an ending character comes after it.
    """
    if not text.startswith("/", start):
        return start
    end = position = start + 1
    while True:
        run = _PATH_RUN.match(text, position)
        stop = run.end() if run else position
        last = stop
        while last > position and not _PATH_END.match(text, last - 1):
            last -= 1
        end = last if last > position else end
        closed = _balanced_end(text, stop)
        if closed == stop:
            return end
        end = closed if end == stop else end
        position = closed


def _balanced_end(text: str, start: int) -> int:
    """End of `(...)` at `start` with at most one nested pair, or `start` when it is not one."""
    if not text.startswith("(", start):
        return start
    run = _PATH_RUN.match(text, start + 1)
    stop = run.end() if run else start + 1
    if stop > start + 1 and text.startswith(")", stop):
        return stop + 1
    if not text.startswith("(", stop):
        return start
    inner = _PATH_RUN.match(text, stop + 1)
    inner_stop = inner.end() if inner else stop + 1
    if inner_stop == stop + 1 or not text.startswith(")", inner_stop):
        return start
    rest = _PATH_RUN.match(text, inner_stop + 1)
    rest_stop = rest.end() if rest else inner_stop + 1
    return rest_stop + 1 if text.startswith(")", rest_stop) else start


def _query_end(text: str, start: int) -> int:
    """End of the query that starts at `start`, or `start` when there is none."""
    if not text.startswith("?", start):
        return start
    run = _QUERY_RUN.match(text, start + 1)
    query = run.group().rstrip(_QUERY_TAIL) if run else ""
    return start + 1 + len(query) if query else start


def _resolvable(text: str, candidate: _Candidate, end: int) -> bool:
    """Whether the host can be written in ASCII (IDNA 2003, as twitter-text does) and the whole is not too long."""
    host = text[candidate.host : candidate.host_end]
    if len(host) > MAX_URL_LENGTH:
        return False
    if any(not 0 < len(label) <= MAX_HOST_LABEL for label in _IDNA_DOTS.split(host)):
        return False
    try:
        encoded = host.encode("idna")
    except UnicodeError:
        return False
    # twitter-text adds the scheme once more when it is written, and as https:// when it is not.
    scheme = candidate.host - candidate.start or len("https://")
    return end - candidate.start + len(encoded) - len(host) + scheme <= MAX_URL_LENGTH


def _ascii_hosts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The hosts of Latin letters inside a bare host: only these are links when there is no scheme."""
    for match in _ASCII_HOST_RUN.finditer(text, start, end):
        first = match.start()
        while first < match.end() and text[first] == ".":
            first += 1
        dots = [dot.start() for dot in _DOT.finditer(text, first, match.end())]
        for dot in reversed(dots):
            if top := _top_level_end(text, dot + 1, end):
                yield (first, top)
                break
