"""Reads reports as those who show them do: Markdown by CommonMark with tables, HTML with Python's own parser."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt

_TEXT = {"text", "text_special"}


def markdown_tables(source: str) -> dict[str, list[list[str]]]:
    """The rows of each table, the head first, by the heading over it. Fails where a cell is more than plain text."""
    found: dict[str, list[list[str]]] = {}
    heading, inside = "", ""
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        if token.type == "tr_open":
            found.setdefault(heading, []).append([])
        if token.type != "inline":
            inside = token.type
            continue
        children = token.children or []
        assert {child.type for child in children} <= _TEXT, token.content
        text = "".join(child.content for child in children)
        if inside == "heading_open":
            heading = text
        elif inside in ("td_open", "th_open"):
            found[heading][-1].append(text)
    return found


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert all(name in ("style", "class") for name, _ in attrs), attrs
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def html_rows(source: str) -> list[list[str]]:
    """The rows of all tables. Fails where tags don't match, or are others than a report is made of."""
    parser = _Html()
    parser.feed(source)
    parser.close()
    assert parser.open == []
    assert parser.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    return parser.rows
