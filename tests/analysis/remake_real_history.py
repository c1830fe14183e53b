"""Make tests/analysis/real_history.json again: real calls of the demo's model, through the openai client.

    python tests/analysis/remake_real_history.py

takes some minutes. The names of the machine and its user are replaced.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import openai

import nbtokens
from nbtokens.demo import local_model

HERE: Final = Path(__file__).parent
PRICES: Final = '[prices."gemma-3-270m"]\ninput_per_mtok = 500\noutput_per_mtok = 2000\n'
QUESTIONS: Final = (
    "What is a notebook?",
    "Name three colours.",
    "Write a sentence about the sea, then one about the mountains, then one about the sky.",
    "Is water wet? Answer yes or no.",
)
CEILINGS: Final = (6, 12, 24, 40)


def ask(client: openai.OpenAI, question: str, ceiling: int, *, stream: bool = False) -> None:
    """One call, whole or streamed."""
    answer = client.chat.completions.create(
        model=local_model.MODEL,
        messages=[{"role": "user", "content": question}],
        max_tokens=ceiling,
        temperature=0,
        stream=stream,
    )
    for _ in answer if stream else ():
        pass


def make_calls(client: openai.OpenAI) -> None:
    """Calls of all kinds: labelled, streamed, repeated, embedded, refused, scored, and runs that need none."""
    for number, (question, ceiling) in enumerate(itertools.product(QUESTIONS, CEILINGS)):
        with nbtokens.run_id(f"r{number % 2}"), nbtokens.operation(("ask", "sum_up")[number % 2], step=number % 3):
            ask(client, question, ceiling, stream=number % 4 == 1)
            nbtokens.score(quality=(number % 7) / 7, safety=1 - number / 50)
    for _ in range(6):
        with nbtokens.operation("text_classification"):
            ask(client, QUESTIONS[3], 5)
    for number in range(4):
        with nbtokens.operation("embedding"):
            client.embeddings.create(model=local_model.MODEL, input=QUESTIONS[number % 2])
    for _ in range(4):
        with suppress(openai.APIError):
            client.chat.completions.create(model=local_model.MODEL, messages="no list", temperature=0)  # type: ignore[call-overload]
    for number in range(3):
        with nbtokens.operation("ask"):
            if not number:
                ask(client, "And now?", 4)


def main() -> None:
    """Make them in a folder of their own, and keep what was recorded."""
    with tempfile.TemporaryDirectory() as folder, local_model.serve() as endpoint:
        os.chdir(folder)
        Path("nbtokens.toml").write_text(f'user = "ada"\nproject = "real"\n{PRICES}')
        os.environ.update(endpoint.environment())
        nbtokens.enable()
        make_calls(openai.OpenAI(max_retries=0))
        nbtokens.disable()
        rows = json.loads(nbtokens.history().path.read_text(encoding="utf-8"))
        lines = [json.dumps(row | {"host": "machine"}, separators=(",", ":")) for row in rows]
        (HERE / "real_history.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
