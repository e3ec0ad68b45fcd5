"""Who does not want to be collected: `X-Robots-Tag` headers and `<meta name="robots">` in, the directive found out.

`noindex`, `noimageindex` and `none` keep a page or its pictures out of every index; `noai` and `noimageai`
(DeviantArt) and `noml` keep them out of machine learning. Each of them is respected.
"""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

DIRECTIVES = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none", "noml"})
HTML_BYTES = 512 << 10  # a page's head is never longer

# Directives whose value follows a colon; every other word before a colon is the name of a crawler.
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_AGENT = re.compile(r"[^\s:,]+")


def header_opt_out(values: Iterable[str], agent_token: str) -> str | None:
    """The directive by which an answer's headers forbid its use, or None.

    Syntax: https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag (`X-Robots-Tag`). A crawler's
    name with a colon begins a list that is meant for this crawler only, up to the next name or the header's end.

    Args:
        values: the values of all `X-Robots-Tag` headers.
        agent_token: our own name as a crawler, compared without regard to case.
    """
    ours = {"*", agent_token.lower()}
    for value in values:
        agent = "*"
        for part in value.lower().split(","):
            agent, directive = _agent_and_directive(part.strip(), agent)
            if agent in ours and directive in DIRECTIVES:
                return directive
    return None


def _agent_and_directive(part: str, agent: str) -> tuple[str, str]:
    """`otherbot: noai` -> its own agent; `noai` -> the agent before it; a date of unavailable_after names nobody."""
    name, colon, rest = (text.strip() for text in part.partition(":"))
    if colon and name not in _WITH_VALUE and _AGENT.fullmatch(name):
        return name, rest
    return agent, part


def meta_opt_out(html: bytes, agent_token: str) -> str | None:
    """The directive by which a page forbids its use, or None.

    Args:
        html: the page; its first 512 KiB are read, in any encoding that contains ASCII or has a byte order mark.
        agent_token: our own name as a crawler; `<meta name="robots">` and a `<meta>` of this name count.
    """
    finder = _MetaFinder(agent_token.lower())
    finder.feed(_text(html[:HTML_BYTES]))
    return finder.found


def _text(html: bytes) -> str:
    if html.startswith((b"\xff\xfe", b"\xfe\xff")):
        return html.decode("utf-16", "replace")
    return html.decode("latin-1")  # names and directives are ASCII in whatever encoding the rest is


class _MetaFinder(HTMLParser):
    """Reads `<meta>` elements; not those in comments and scripts."""

    def __init__(self, agent_token: str) -> None:
        super().__init__()
        self.found: str | None = None
        self._names = {"robots", agent_token}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {
            name: value or "" for name, value in reversed(attrs)
        }  # of two attributes of one name the first counts
        if tag == "meta" and self.found is None and values.get("name", "").strip().lower() in self._names:
            words = re.split(r"[\s,]+", values.get("content", "").lower())
            self.found = next((word for word in words if word in DIRECTIVES), None)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:  # what Python 3.11 makes of `<![<`; a browser takes it for a comment
            return self.parse_bogus_comment(i)
