"""How the tokens of a model's family are counted: its encoding or the nearest, and the framing of its messages.

OpenAI's encodings are those of tiktoken's own table. The framings are documented by OpenAI's cookbook, published as
chat templates, or were seen in what the providers report; `benchmarks/estimates.py` shows how far they reach.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class Family(NamedTuple):
    """Which encoding counts the tokens of some models.

    Attributes:
        encoding: a name of `nbtokens.ranks.ENCODINGS`.
        factor: tokens of these models for one token of the encoding.
        nearest: the same for the fallback encoding, to be used where this one's ranks are not on this machine;
            None where there is nothing nearer than the characters.
    """

    encoding: str
    factor: float = 1.0
    nearest: float | None = None


class Framing(NamedTuple):
    """Tokens that are nobody's text: around the messages of a prompt, and around an answer.

    Attributes:
        request: once, the beginning of the answer included.
        message: for each message, its role included.
        system: once, where there is a system message.
        call: for each call of a tool that the prompt reports, besides its name and arguments.
        tools: once, where tools are defined.
        tools_in_system: so many fewer, where there is a system message that the tools join.
        typescript: whether tools are read as TypeScript; else as JSON.
        answer: once, where an answer came to its end.
        answer_from: only for answers of so many tokens.
        answered_call: for each call of a tool that the model writes, besides its name and arguments.
    """

    request: int = 3
    message: int = 4
    system: int = 0
    call: int = 4
    tools: int = 0
    tools_in_system: int = 0
    typescript: bool = False
    answer: int = 0
    answer_from: int = 0
    answered_call: int = 4


_O200K: Final = "o200k_base"
_CL100K: Final = "cl100k_base"
_R50K: Final = "r50k_base"

# The first pattern that is found in the name decides.
_FAMILIES: Final = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"gpt-oss|gpt-4o|gpt-4\.[15]|gpt-[5-9]|^o[1-9]|chatgpt-4o|computer-use|^codex-mini", Family(_O200K)),
        (r"gpt-4|gpt-3\.?5|text-embedding-(ada-002|3)|^(davinci|babbage)-?(002|:)", Family(_CL100K)),
        (r"^text-davinci-00[23]|^code-(davinci|cushman)|-codex|davinci-edit", Family("p50k_base", nearest=1.0)),
        (r"^(text-|code-)?(similarity-|search-)?(davinci|curie|babbage|ada)(-|$)", Family(_R50K, nearest=1.0)),
        (r"^gpt-?2", Family(_R50K, nearest=1.0)),
        (r"claude", Family(_O200K, 1.07)),
        (r"llama-?v?3|llama3", Family("llama3", nearest=1.0)),
        (r"qwen|qwq", Family("qwen3", nearest=1.0)),
    )
)

_GPT: Final = Framing(call=7, tools=9, tools_in_system=4, typescript=True, answered_call=7)
_CLAUDE: Final = Framing(tools=497, answer=3, answered_call=40)
_FRAMINGS: Final = tuple(
    (re.compile(pattern), framing)
    for pattern, framing in (
        (r"gpt-oss", Framing(request=63, answer=4, answered_call=11)),
        (
            r"gpt-[5-9]|^o[1-9]|^codex",
            Framing(request=2, call=11, tools=9, typescript=True, answer=4, answered_call=7),
        ),
        (r"gpt-4o|gpt-4\.1", _GPT._replace(answer=1, answer_from=5, answered_call=6)),
        (r"gpt", _GPT),
        (r"claude-(3|2|instant|v2)|claude-(opus|sonnet)-4(-\d{8}|-[01]|$|@)", _CLAUDE._replace(tools=346)),
        (r"claude", _CLAUDE),
        (r"llama3\.[123](:|$)", Framing(request=20, message=5, system=-5, answer=1)),  # Ollama's name and template
        (r"llama-?v?3[.-][123]|llama3[.-][123]", Framing(request=30, message=5, system=-5, answer=1)),
        (r"llama", Framing(request=5, message=5, answer=1)),
        (r"qwen|qwq", Framing(request=3, message=5, tools=140, answer=1)),
        (r"gemma", Framing(request=5, message=5)),
        (r"gemini", Framing(request=0, message=0)),
        (r"deepseek-(v[4-9]|chat|reasoner)", Framing(tools=220, answered_call=25)),
        (r"mistral|mixtral|ministral|magistral|codestral|devstral", Framing(request=1, message=2, tools=18)),
        (r"nova", Framing(tools=370)),
        (r"titan|flan", Framing(request=0, message=0)),
        (r"sonar", Framing(request=1, message=0)),
    )
)


@lru_cache(maxsize=1024)
def family_of(model: str | None, fallback: str) -> Family:
    """How a model's text is counted; that of unknown ones with the fallback encoding as it is."""
    name = _name(model)
    return next((family for pattern, family in _FAMILIES if pattern.search(name)), Family(fallback))


@lru_cache(maxsize=1024)
def framing_of(model: str | None) -> Framing:
    """The framing of a model's messages; of unknown ones that of a usual chat template."""
    name = _name(model)
    return next((framing for pattern, framing in _FRAMINGS if pattern.search(name)), Framing())


def _name(model: str | None) -> str:
    return (model or "").lower().rpartition("/")[2].removeprefix("ft:")
