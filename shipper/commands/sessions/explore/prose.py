"""Foreign text as HTML: written by models and strangers, it never acts.

Markdown is rendered without its HTML and images and then sanitised; code is coloured. What cannot be seen or
turns the text around is shown by a sign.
"""

import difflib
import re

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

# Longer texts are shown as they are: a page of thousands of paragraphs serves nobody, and costs seconds.
_MOST_MARKDOWN = 64 << 10
_MOST_CODE = 32 << 10
# A line more is no longer looked at; the raw body has them all.
MOST_SHOWN = 256 << 10
_MOST_DIFF = 4000
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_PICTURES_OF_CONTROLS = 0x2400
_SPACE = 0x20
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "span", "blockquote", "ul", "ol", "li", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}


def visible(text: str) -> str:
    """Return text in which controls, ANSI and bidi among them, are signs: ``␛``, ``⟨U+202E⟩``."""
    return _HIDDEN.sub(lambda match: _sign(ord(match[0])), text.replace("\r\n", "\n"))


def _sign(code: int) -> str:
    return chr(_PICTURES_OF_CONTROLS + code) if code < _SPACE else f"⟨U+{code:04X}⟩"


def short(text: str, most: int) -> str:
    """Return text on one line, of at most so many characters."""
    line = " ".join(visible(text[: most * 4]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def cut(text: str) -> str:
    """Return text as far as it is shown."""
    if len(text) <= MOST_SHOWN:
        return visible(text)
    return f"{visible(text[:MOST_SHOWN])}\n[{len(text) - MOST_SHOWN:,} more characters: see the raw body]"


def markdown(text: str) -> Markup:
    """Return Markdown as sanitised HTML; a text too long for it stays as it is."""
    if len(text) > _MOST_MARKDOWN:
        return Markup("<pre>{}</pre>").format(cut(text))
    html = _RENDERER.render(visible(text))
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "span": {"class"}, "code": {"class"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)  # noqa: S704 - sanitised


def coloured(text: str, language: str) -> Markup:
    """Return code with its words in spans; as it is where it is long or the language is unknown."""
    shown = cut(text)
    if len(shown) > _MOST_CODE:
        return escape(shown)
    return Markup(_highlight(shown, language, "") or escape(shown))  # noqa: S704 - Pygments escapes


def difference(before: str, after: str) -> str:
    """Return what changed between two texts, as a unified diff without its head."""
    old, new = (text.splitlines()[:_MOST_DIFF] for text in (before, after))
    return "\n".join(list(difflib.unified_diff(old, new, lineterm="", n=2))[2:])


def image(address: str) -> str:
    """Return an image's address where the page may show it: the image itself, of a kind without scripts."""
    return address if _IMAGE.fullmatch(address) else ""


def _highlight(code: str, language: str, _: str) -> str:
    try:
        lexer = get_lexer_by_name(language.strip().lower(), stripnl=False)
    except ClassNotFound:
        return ""
    return highlight(code, lexer, _FORMATTER) if len(code) <= _MOST_CODE else ""


_RENDERER = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _highlight})
    .enable(["table", "strikethrough"])
    .disable("image")
)
