"""Names come from anywhere. None can break a table, or be shown as something that it is not."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import html_rows, markdown_tables
from wcwidth import wcswidth

from nbtokens.reports.html import html
from nbtokens.reports.markdown import markdown
from nbtokens.reports.report import Report, Table
from nbtokens.reports.text import text

NAMES = [
    "a|b",
    "||",
    r"a\|b",
    "`code`",
    "``",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "<!-- comment",
    "&amp;",
    "&lt;i&gt;",
    "two\nlines",
    "two\r\nlines",
    "a\n\n| b | c |\n",
    "snake_case_name",
    "_emphasis_",
    "__init__.py",
    "*stars*",
    "**strong**",
    "~~gone~~",
    "[link](http://example.com)",
    "![picture](x.png)",
    "[ref]: http://example.com",
    "<http://example.com>",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "\\",
    r"C:\notebooks\a.ipynb",
    "$x$",
    r"\(x\)",
    r"\[x\]",
    r"\begin{x}y\end{x}",
    "tab\there",
    "nul\0here",
    "\u2028line\u2029paragraph\x85next",
    "\u65e5\u672c\u8a9e\u30e2\u30c7\u30eb",
    "\U0001f680 rocket",
    "e\u0301t\u00e9",
    "\u0645\u0631\u062d\u0628\u0627",
    "x" * 5000,
    "",
]
# What starts mathematics in JupyterLab's Markdown, before it is read as Markdown; it reaches over the ends of cells.
_MATHEMATICS = re.compile(r"(?<!\\)\$|\\\\[()\[\]]|\\(?:begin|end)\{")
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


def _report(name: str) -> Report:
    table = Table(name, ("name", "second", ">cost"), ((name, "between", "$1.00"), ("plain", name, "$2.00")))
    return Report("Title", (name, table, Table(name, ("a",), (), name)))


def _shown(name: str) -> str:
    return _CONTROL.sub(" ", name.replace("\r\n", "  "))


def _assert_markdown_holds(name: str) -> None:
    [rows] = markdown_tables(markdown(_report(name))).values()
    name = _shown(name).strip()
    assert rows == [["name", "second", "cost"], [name, "between", "$1.00"], ["plain", name, "$2.00"]]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_markdown_shows_names_as_they_are(name: str) -> None:
    """Parsed as Markdown, each cell holds the name as plain text, and nothing but it."""
    _assert_markdown_holds(name)


@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from("|\\`*_[]<>&$~#-!(){}\n ")))
def test_markdown_shows_any_name_as_it_is(name: str) -> None:
    """The same holds for whatever text."""
    _assert_markdown_holds(name)


@pytest.mark.parametrize("name", ["plain", "$x$", r"\(x\)", r"\[x\]", r"\begin{x}y\end{x}", r"a\$b", r"\\"])
def test_markdown_holds_no_mathematics(name: str) -> None:
    """No dollar sign and no name starts a formula: JupyterLab would take all up to the next one for it."""
    assert _MATHEMATICS.findall(markdown(_report(name))) == []


def test_markdown_reads_well_as_plain_text() -> None:
    """Columns are aligned in the source too, numbers to the right; a name of a program needs no mark of escape."""
    rows = (("gpt_4o-mini", "1"), ("\u65e5\u672c", "1,000"))
    assert markdown(Report("Title", ("A sentence.", Table("Models", ("model", ">calls"), rows)))) == (
        "# Title\n\nA sentence.\n\n## Models\n\n"
        "| model       | calls |\n"
        "| ----------- | ----: |\n"
        "| gpt_4o-mini |     1 |\n"
        "| \u65e5\u672c        | 1,000 |\n"
    )


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_html_shows_names_as_they_are(name: str) -> None:
    """Parsed as HTML, each cell holds the name as text; no tag and no attribute comes from a name."""
    rows = html_rows(html(_report(name)))
    assert [[cell.replace("\r\n", "\n") for cell in row] for row in rows] == [
        ["name", "second", "cost"],
        [name.replace("\r\n", "\n"), "between", "$1.00"],
        ["plain", name.replace("\r\n", "\n"), "$2.00"],
    ]


@given(name=st.text())
def test_html_shows_any_name_as_it_is(name: str) -> None:
    """The same holds for whatever text."""
    assert html_rows(html(_report(name)))[2][1] == name


@pytest.mark.parametrize(
    "name",
    [
        *NAMES,
        "\ud55c\uad6d\uc5b4",
        "\u0e20\u0e32\u0e29\u0e32\u0e17\u0e35\u0e48",
        "\U0001f1e9\U0001f1ea",
        "zero\u200bwidth",
    ],
    ids=ascii,
)
def test_text_is_aligned(name: str) -> None:
    """As text, a table's numbers end in one column, however wide a terminal shows the names before them."""
    rows = ((name, "1"), ("plain", "1,000"), ("", "12"))
    lines = text(Report("Title", (Table("", ("name", ">calls"), rows),))).splitlines()
    assert lines[:2] == ["Title", ""]
    assert len(lines) == 6
    assert len({wcswidth(line) for line in lines[2:]}) == 1
    assert _shown(name).strip() in lines[3]


def test_html_title() -> None:
    """A title is text as well."""
    assert "&lt;b&gt;" in html(Report("<b>", ()))


def test_text_of_every_part() -> None:
    """Title, sentences, headings, tables and what is said of empty ones stand in blocks of their own."""
    report = Report(
        "Title", ("Sentence.", Table("Heading", ("a", ">b"), (("x", "1"),)), Table("Empty", ("a",), (), "None."))
    )
    assert text(report) == "Title\n\nSentence.\n\nHeading\n  a  b\n  x  1\n\nEmpty\n  None."


def test_a_report_shows_itself() -> None:
    """A report has the forms that notebooks and terminals ask for."""
    report = Report("Title", (Table("", ("cost",), ((str(Decimal("1.5")),),)),))
    assert repr(report) == text(report)
    assert report._repr_html_() == html(report)
    assert report._repr_markdown_() == markdown(report)
