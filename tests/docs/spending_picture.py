"""Takes the picture of the web page in docs/rest.md, over a made-up month of a small team.

python tests/docs/spending_picture.py

It wants what the tests want, and a Chromium.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from made_up import maker  # noqa: E402 - the path comes first
from server.conftest import TOKEN, served  # noqa: E402 - the same

import nbtokens  # noqa: E402 - the same
from nbtokens.config import load_config  # noqa: E402 - the same
from nbtokens.history import open_history  # noqa: E402 - the same
from nbtokens.record import encode  # noqa: E402 - the same
from nbtokens.server import alone  # noqa: E402 - the same
from nbtokens.server.answers import answers_of  # noqa: E402 - the same
from nbtokens.server.handling import Caller  # noqa: E402 - the same

if TYPE_CHECKING:
    from nbtokens.record import Record

# Name, USD for a million input and output tokens, and how often it is called.
MODELS: Final = (
    ("gpt-5-mini", "0.25", "2", 30), ("claude-sonnet-4-5", "3", "15", 12), ("gpt-5", "1.25", "10", 10),
    ("gemini-2.5-flash", "0.3", "2.5", 18), ("claude-haiku-4-5", "1", "5", 9),
    ("text-embedding-3-large", "0.13", "0", 9),
)  # fmt: skip
NOTEBOOKS: Final = (
    "eval/answer_quality.ipynb",
    "rag/build_index.ipynb",
    "weekly_report.ipynb",
    "ex_03_summaries.ipynb",
)
PEOPLE: Final = (("ada", 40), ("grace", 28), ("linus", 17), ("barbara", 9), ("ken", 6))
DAYS: Final = 60
PER_DAY: Final = 120


def month() -> list[Record]:
    """Two months of calls, fewer on weekends, more in the second."""
    chance, make, now = random.Random(11), maker(), datetime.now(UTC)
    records = []
    for number in range(DAYS * PER_DAY):
        at = now - timedelta(days=DAYS) * (1 - (number + 1) / (DAYS * PER_DAY + 1))
        if chance.random() < (0.85 if at.weekday() > 4 else 0.3 * (1 - number / DAYS / PER_DAY)):
            continue
        name, read_price, written_price, _ = chance.choices(MODELS, [one[3] for one in MODELS])[0]
        embeds = name.startswith("text-embedding")
        read, written = int(chance.lognormvariate(8, 0.9)), 0 if embeds else int(chance.lognormvariate(6, 0.8))
        operation = "embed chunks" if embeds else chance.choice(["answer", "judge", "summarise", "extract entities"])
        records.append(
            make(
                started_at=at, model=name, input_tokens=read, output_tokens=written, operation=operation,
                user=chance.choices([one for one, _ in PEOPLE], [often for _, often in PEOPLE])[0],
                notebook=chance.choices(NOTEBOOKS, (9, 4, 3, 2))[0], cell=f"{chance.randrange(5):x}f3a",
                duration_s=round(0.5 + written * chance.uniform(0.006, 0.02), 2),
                status="error" if chance.random() < 0.01 else "ok",
                cost_usd=(read * Decimal(read_price) + written * Decimal(written_price)) / 10**6,
            )
        )  # fmt: skip
    return records


def main() -> None:
    """Take it."""
    picture = ROOT / "docs" / "pictures" / "spending.png"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("nbtokens.toml").write_text('user = "ada"\n')
        store = open_history(load_config().folder, print)
        store.folder.mkdir()
        store.journal.append([encode(record) for record in month()])
        app = alone.application(answers_of(load_config()), {TOKEN: Caller(None, sees_all=True)})
        with (
            nbtokens.budget(2, per="day"),
            nbtokens.budget(12, per="month"),
            served(app) as port,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1160, "height": 1128})
            page.goto(f"http://127.0.0.1:{port}/nbtokens/?token={TOKEN}")
            page.wait_for_selector("#budgets .row >> nth=1")
            page.screenshot(path=picture)
            browser.close()
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
