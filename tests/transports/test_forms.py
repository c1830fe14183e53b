"""Requests that are forms with files, as those for transcriptions: the model is known, the file is not touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import openai
import pytest
import requests
from servers import as_json

if TYPE_CHECKING:
    from ledgers import Ledger
    from servers import ScriptedServer

USAGE: Final = {
    "type": "tokens",
    "input_tokens": 7,
    "output_tokens": 5,
    "total_tokens": 12,
    "input_token_details": {"audio_tokens": 7, "text_tokens": 0},
}
SOUND: Final = b"RIFF" * 1000


def transcribe_with_openai(url: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    return client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", SOUND)).text


def transcribe_with_requests(url: str) -> str:
    files: Any = {"file": ("a.wav", SOUND)}
    answer = requests.post(
        f"{url}/v1/audio/transcriptions", data={"model": "gpt-4o-transcribe"}, files=files, timeout=60
    )
    text: str = answer.json()["text"]
    return text


@pytest.mark.parametrize("transcribe", [transcribe_with_openai, transcribe_with_requests])
def test_model_of_a_form(transcribe: Any, server: ScriptedServer, recording: Ledger) -> None:  # noqa: ANN401 - a function
    """The model stands in the form; tokens and what else is reported are kept; the server gets the whole file."""
    server.will(as_json({"text": "Hello.", "usage": USAGE}))
    assert transcribe(server.url) == "Hello."
    row = recording.only()
    assert (row["call_type"], row["request_model"], row["model"]) == ("transcription", *["gpt-4o-transcribe"] * 2)
    assert (row["input_tokens"], row["output_tokens"], row["usage"]) == (7, 5, USAGE)
    assert SOUND in server.asked[-1].body
