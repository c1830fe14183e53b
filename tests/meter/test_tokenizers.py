"""Texts are counted as tiktoken counts them, without its network, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING

from nbtokens.characters import approximate
from nbtokens.families import family_of
from nbtokens.ranks import ENCODINGS, load_encoding
from nbtokens.tokenizers import MOST_COUNTED, Tokenizers

if TYPE_CHECKING:
    from ledgers import Script

PROSE: Final = "The sky is blue since the air scatters short waves more than long ones. "
_SAME_RANKS: Final = {"o200k_harmony": "o200k_base", "gpt2": "r50k_base", "p50k_edit": "p50k_base"}
_tokenizers: Final = Tokenizers()


@pytest.fixture(autouse=True, scope="module")
def encodings_loaded() -> None:
    """Wait for the encodings once."""
    for model in ("gpt-4o", "gpt-4"):
        assert _tokenizers.count("a", model, wait=30) == 1


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        *MODEL_TO_ENCODING.items(),
        *((f"{prefix}x", encoding) for prefix, encoding in MODEL_PREFIX_TO_ENCODING.items()),
    ],
)
def test_models_of_openai(model: str, encoding: str) -> None:
    """Every model that tiktoken knows is counted with the encoding that tiktoken names, exactly."""
    family = family_of(model, "?")
    assert (family.encoding, family.factor) == (_SAME_RANKS.get(encoding, encoding), 1.0)


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("openai/gpt-5.4-mini", "o200k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama3"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "o200k_base"),
        ("Qwen/Qwen3-8B", "qwen3"),
        ("a-new-model", "cl100k_base"),
        (None, "cl100k_base"),
    ],
)
def test_nearest_encoding(model: str | None, encoding: str) -> None:
    """A model of another family is counted with its own encoding or the nearest, an unknown one with the fallback."""
    assert family_of(model, "cl100k_base").encoding == encoding


@pytest.mark.parametrize(
    ("model", "text", "tokens"),
    [
        ("gpt-4o", "tiktoken is great!", 6),
        ("gpt-4", "tiktoken is great!", 6),
        ("gpt-4", "antidisestablishmentarianism", 6),
        ("gpt-4o", "antidisestablishmentarianism", 6),
        ("gpt-4", "2 + 2 = 4", 7),
        ("gpt-4", "お誕生日おめでとう", 9),
        ("gpt-4o", "お誕生日おめでとう", 8),
    ],
)
def test_known_counts(model: str, text: str, tokens: int) -> None:
    """The counts are those of OpenAI's cookbook, "How to count tokens with tiktoken"."""
    assert _tokenizers.count(text, model) == tokens


def test_special_tokens_are_text() -> None:
    """What looks like a special token is counted as the text that it is."""
    assert _tokenizers.count("<|endoftext|>" * 10, "gpt-4o") >= 60


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aBZ é日本🙂 \r\n\t'sS19.,!_-<|>ß\u00a0\u3000/\ud800"), max_size=60))
def test_pieces_count_as_the_whole(text: str) -> None:
    """A long text is counted in pieces; where words end, this changes nothing."""
    long = " ".join([text, *([PROSE] * 200), text])
    encoding = load_encoding_once("cl100k_base")
    assert abs(_tokenizers.count(long, "gpt-4") - len(encoding.encode_ordinary(long))) <= len(long) // 4096


_encodings: Final[dict[str, Any]] = {}


def load_encoding_once(name: str) -> Any:  # noqa: ANN401 - tiktoken's type
    if name not in _encodings:
        _encodings[name] = load_encoding(name)
    return _encodings[name]


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base", "llama3", "qwen3"])
def test_ranks_from_a_package(name: str) -> None:
    """An installed package's ranks make an encoding that knows every single byte, and all of its ranks."""
    encoding = load_encoding_once(name)
    assert len({encoding.encode_single_token(bytes([byte])) for byte in range(256)}) == 256
    assert encoding.max_token_value >= ENCODINGS[name].ranks - 1
    assert encoding.decode(encoding.encode_ordinary(PROSE * 3)) == PROSE * 3


@pytest.mark.parametrize(
    "text",
    [PROSE * 150_000, "a" * 1_000_000, " " * 1_000_000, "日" * 1_000_000, "\n" * 1_000_000, "ab1!" * 500_000],
    ids=["prose", "letters", "spaces", "eastern", "lines", "mixed"],
)
def test_long_texts(text: str) -> None:
    """Of a very long text evenly spread pieces are counted; the figure is that of the whole, within 5 %."""
    part = text[: MOST_COUNTED // 2]
    whole = _tokenizers.count(part, "gpt-4o") * len(text) / len(part)
    assert _tokenizers.count(text, "gpt-4o") == pytest.approx(whole, rel=0.05)


def test_many_texts() -> None:
    """Many texts are counted each for itself, and together they are bounded as one is."""
    assert _tokenizers.count_all(["a b", "", "c"], "gpt-4o") == 3
    assert _tokenizers.count_all([PROSE] * 20_000, "gpt-4o") == pytest.approx(20_000 * 15, rel=0.08)


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        (PROSE * 20, 0.15),
        ('{"name": "look", "parameters": {"type": "object", "required": ["for"]}}' * 20, 0.25),
        ("def count(self, text: str) -> int:\n    return len(self.encode(text))\n\n" * 20, 0.25),
        ("Der Himmel ist blau, weil die Luft kurze Wellen stärker streut als lange. " * 20, 0.25),
        ("Ο ουρανός φαίνεται γαλάζιος επειδή ο αέρας σκορπίζει το φως. " * 20, 0.35),  # noqa: RUF001
        ("空气散射短波比长波更强,所以天空是蓝色的。" * 20, 0.3),
    ],
    ids=["English", "JSON", "Python", "German", "Greek", "Chinese"],
)
def test_by_characters(text: str, tolerance: float) -> None:
    """Without an encoding the characters tell, in any script, nearer than the number of bytes does."""
    exact = _tokenizers.count(text, "gpt-4o")
    assert approximate(text) == pytest.approx(exact, rel=tolerance)


@settings(max_examples=300)
@given(st.text())
def test_any_text_by_characters(text: str) -> None:
    """Any text has a number of tokens, an empty one none, no other less than one."""
    assert (approximate(text) >= 1) is bool(text)


_WITHOUT_PACKAGES: Final = """
    import importlib.util, socket, sys

    def refuse(*arguments, **options):
        raise AssertionError("the network was asked for")

    socket.socket.connect = refuse
    find = importlib.util.find_spec
    hidden = lambda name, *more: None if name in {"quicktok", "litellm"} else find(name, *more)
    importlib.util.find_spec = hidden
"""


def test_without_ranks(script: Script, tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """Where no ranks are on this machine, the characters tell; nothing is fetched from a network."""
    source = f"""{_WITHOUT_PACKAGES}
    from nbtokens.characters import approximate
    from nbtokens.tokenizers import Tokenizers

    tokenizers = Tokenizers()
    for model in ("gpt-5", "llama-3.1", None):
        assert tokenizers.count("Why is the sky blue?", model, wait=30) == round(approximate("Why is the sky blue?"))
    assert tokenizers.count("", "gpt-5") == 0
    assert tokenizers.count("<|endoftext|>\\ud800", "no-such-model") > 0
    assert tokenizers.count("a" * 10_000_000, "gpt-5") > 0
    """
    empty = {"TMPDIR": str(tmp_path), "TIKTOKEN_CACHE_DIR": str(tmp_path), "DATA_GYM_CACHE_DIR": str(tmp_path)}
    script(source, **empty)


def test_ranks_of_tiktokens_cache(script: Script, tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """The cache of tiktoken is used where it holds a whole rank file; a torn one is not."""
    name = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # what tiktoken calls the file of cl100k_base
    source = f"""
    import base64, os, pathlib
    from nbtokens.ranks import load_encoding

    ranks = load_encoding("cl100k_base")._mergeable_ranks
    lines = [base64.b64encode(token) + b" " + str(rank).encode() for token, rank in ranks.items()]
    {_WITHOUT_PACKAGES.strip()}
    import nbtokens.ranks
    nbtokens.ranks.find_spec = hidden
    cache = pathlib.Path({str(tmp_path)!r})
    assert load_encoding("cl100k_base") is None
    (cache / {name!r}).write_bytes(b"\\n".join(lines[:1000]))
    assert load_encoding("cl100k_base") is None
    (cache / {name!r}).write_bytes(b"\\n".join(lines))
    assert len(load_encoding("cl100k_base").encode_ordinary("antidisestablishmentarianism")) == 6
    """
    script(source, TMPDIR=str(tmp_path), TIKTOKEN_CACHE_DIR=str(tmp_path), DATA_GYM_CACHE_DIR=str(tmp_path))


def test_loading_is_in_the_background(script: Script) -> None:
    """Nobody waits for an encoding: a count that may not wait is by the characters, a later one is exact."""
    source = """
    from nbtokens.tokenizers import Tokenizers

    text = "antidisestablishmentarianism " * 10
    tokenizers = Tokenizers()
    tokenizers.start_loading("gpt-4")
    early = tokenizers.count(text, "gpt-4", wait=0)
    late = tokenizers.count(text, "gpt-4", wait=30)
    assert late == 61 != early > 0, (early, late)
    """
    script(source)


def test_loading_that_was_left_behind(script: Script) -> None:
    """An encoding whose loading thread is gone without a result, as after a fork, is loaded anew."""
    source = """
    import threading
    from nbtokens import tokenizers

    gone = threading.Thread(target=int)
    gone.start()
    gone.join()
    tokenizers._loading["cl100k_base"] = gone
    assert tokenizers.Tokenizers().count("antidisestablishmentarianism", "gpt-4", wait=30) == 6
    """
    script(source)
