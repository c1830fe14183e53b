"""docs/providers.md promises nothing that no test holds."""

from __future__ import annotations

import subprocess
import sys

from providers_page import PAGE, ROOT, all_tests, page

from nbtokens.formats.recognise import FORMATS

_FILES = ("tests/replay/test_providers.py", "tests/transports/test_botocore.py")


def test_page_is_current() -> None:
    """The page is what is generated now."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/docs/providers_page.py"


def test_each_cell_is_a_test() -> None:
    """Every test that the page names exists."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *_FILES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    missing = set(all_tests()) - set(done.stdout.splitlines())
    assert not missing, done.stdout[-2000:] + done.stderr


def test_each_format_is_on_the_page() -> None:
    """What is read is documented."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| {table.api} |" in text for table in FORMATS)
