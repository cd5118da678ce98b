"""Foreign text on the pages: seen, and never acting."""

import pytest

from shipper.commands.sessions.explore.prose import coloured, difference, image, markdown, visible

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<iframe src='https://x.example'></iframe>",
    "<style>*{display:none}</style>",
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "![image](https://x.example/pixel.png)",
    "<https://x.example/><svg onload=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    '```"onmouseover=alert(1)\nx\n```',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_acts(text: str) -> None:
    html = str(markdown(text)).lower()

    for planted in ("<script", "<img", "<iframe", "<style", "<svg", 'href="javascript', 'href="data'):
        assert planted not in html
    # What is left of an attribute stands in text, where it is none.
    assert "<" not in html.partition("onerror")[0].rpartition(">")[2]


@pytest.mark.parametrize("language", ["html", "json", "no such language", ""])
def test_code_is_escaped_in_every_language(language: str) -> None:
    assert "<script" not in str(coloured("<script>alert(1)</script>", language))


def test_what_cannot_be_seen_is_a_sign() -> None:
    assert visible("\x1b[31mred\x00\u202e\u2066\ufeff") == "␛[31mred␀⟨U+202E⟩⟨U+2066⟩⟨U+FEFF⟩"
    assert visible("a\tb\r\nc\n👩\u200d🔬") == "a\tb\nc\n👩\u200d🔬"


def test_markdown_is_rendered_with_coloured_code() -> None:
    html = markdown(
        "# Head\n\n**bold** [a](https://a.example)\n\n```python\ndef f(): pass\n```\n\n|a|\n|-|\n|b|"
    )

    for part in ("<h1>", "<strong>", 'href="https://a.example"', '<span class="k">def</span>', "<td>b</td>"):
        assert part in html


def test_an_image_is_shown_only_where_it_is_one_itself() -> None:
    good = "data:image/png;base64,iVBORw0KGgo="

    assert image(good) == good
    for bad in ("https://a.example/a.png", "data:image/svg+xml;base64,AA==", 'data:image/png;base64,AA"x'):
        assert image(bad) == ""


def test_a_difference_is_told_by_its_lines() -> None:
    assert difference("one\ntwo\nthree", "one\n2\nthree").splitlines()[1:] == [" one", "-two", "+2", " three"]
