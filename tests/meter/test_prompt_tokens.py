"""What a model reads of a request: messages with their framing, tools, schemas, images."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from nbtokens.estimates import Estimates
from nbtokens.formats.openai import CHAT, RESPONSES
from nbtokens.formats.recognise import FORMATS
from nbtokens.formats.request import Request
from nbtokens.image_tokens import Image, image_tokens, size_of
from nbtokens.message_tokens import prompt_of
from nbtokens.tokenizers import Tokenizers
from nbtokens.tool_definitions import as_typescript, functions_of

TABLES: Final = {table.api: table for table in FORMATS}
estimates: Final = Estimates(Tokenizers())


def tokens(body: dict[str, Any], model: str, table: Any = CHAT) -> int:  # noqa: ANN401 - a table
    """The input tokens of a request."""
    return estimates.input_tokens(Request(json.dumps(body).encode()), table, model, wait=30)


EXAMPLE: Final = [
    (
        "system",
        None,
        "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("system", "example_assistant", "Let's talk later when we're less busy about how to do better."),
    ("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
]


@pytest.mark.parametrize(("model", "reported"), [("gpt-3.5-turbo", 129), ("gpt-4", 129), ("gpt-4o", 124)])
def test_the_cookbooks_messages(model: str, reported: int) -> None:
    """The messages of OpenAI's cookbook count what the API reports for them, by the cookbook."""
    messages = [{"role": role, "content": text} | ({"name": name} if name else {}) for role, name, text in EXAMPLE]
    assert tokens({"messages": messages}, model) == reported


MULTIPLY: Final = {
    "name": "multiply",
    "description": "Multiply two numbers.",
    "parameters": {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first."},
            "unit": {"type": "string", "enum": ["m", "km"]},
            "rest": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "boolean"}}}},
            "any": {"anyOf": []},
        },
        "required": ["a"],
    },
}


def test_tools_as_typescript() -> None:
    """OpenAI's models read a tool as a type of TypeScript."""
    assert as_typescript([MULTIPLY, {"name": "now", "parameters": {}}]) == "\n".join(
        [
            *("namespace functions {", "", "// Multiply two numbers.", "type multiply = (_: {", "// The first."),
            *("a: number,", 'unit?: "m" | "km",', "rest?: {", "b?: boolean,", "}[],", "any?: any,", "}) => any;", ""),
            *("type now = () => any;", "", "} // namespace functions"),
        ]
    )


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "function": MULTIPLY}],
        [{"type": "function", **MULTIPLY}],
        [{"functionDeclarations": [MULTIPLY]}],
        [{"function_declarations": [MULTIPLY]}],
        [{"toolSpec": MULTIPLY}],
    ],
    ids=["chat", "responses and Anthropic", "Google", "Google's SDK", "Bedrock"],
)
def test_tools_of_all_forms(tools: list[dict[str, Any]]) -> None:
    """The functions of a request are found in every provider's form."""
    assert [one["name"] for one in functions_of(tools)] == ["multiply"]


def test_tools_count() -> None:
    """Tools count, and what belongs to a message counts once, whichever API carries it."""
    plain = {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    with_tools = {**plain, "tools": [{"type": "function", "function": MULTIPLY}]}
    as_response = {"input": "What is 6 times 7?", "tools": [{"type": "function", **MULTIPLY}]}
    assert tokens(with_tools, "gpt-4o") > tokens(plain, "gpt-4o") + 30
    assert tokens(with_tools, "gpt-4o") == tokens(as_response, "gpt-4o", RESPONSES)


def test_schema_counts() -> None:
    """A JSON schema that is asked for is read by the model; the settings around it are not."""
    plain = {"messages": [{"role": "user", "content": "Hi"}]}
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": MULTIPLY["parameters"]}}
    assert tokens({**plain, "response_format": schema}, "gpt-4o") > tokens(plain, "gpt-4o") + 30
    assert tokens({**plain, "response_format": {"type": "json_object"}, "temperature": 1}, "gpt-4o") == tokens(
        plain, "gpt-4o"
    )


def test_what_is_not_read() -> None:
    """Ids, signatures, encoded media and earlier reasoning are no text of the prompt."""
    read = {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]}
    noise = "nothing of this is read " * 10
    unread = {
        **read,
        "reasoning_content": noise,
        "tool_call_id": noise,
        "content": [*read["content"], {"type": "input_audio", "input_audio": {"data": noise}}, {"signature": noise}],
    }
    assert tokens({"messages": [unread]}, "gpt-4o") == tokens({"messages": [read]}, "gpt-4o")


def test_deep_nesting() -> None:
    """A request that is nested as deep as JSON may be is counted like any other."""
    deep = "[" * 900 + '"word"' + "]" * 900
    request = Request(b'{"messages":[{"role":"user","content":' + deep.encode() + b"}]}")
    assert estimates.input_tokens(request, CHAT, "gpt-4o", wait=30) == 8


def picture(kind: str, size: tuple[int, int]) -> str:
    """A real image of that size, in base64."""
    file = io.BytesIO()
    name, _, variant = kind.partition(" ")
    options: dict[str, Any] = {"lossless": True} if variant == "lossless" else {}
    if name == "JPEG":
        options = {"exif": b"Exif\x00\x00" + b"\x00" * 60_000}
    mode, colour = ("RGBA", (1, 2, 3, 4)) if variant == "alpha" else ("RGB", (1, 2, 3))
    Picture.new(mode, size, colour).save(file, name, **options)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP", "WEBP lossless", "WEBP alpha"])
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (33, 1021)])
def test_size_of_images(kind: str, size: tuple[int, int]) -> None:
    """The size is read from the head of a real image of every usual kind, as base64 of either alphabet or a URL."""
    data = picture(kind, size)
    assert size_of(data) == size_of(f"data:image/x;base64,{data}") == size
    assert size_of(data.replace("+", "-").replace("/", "_")) == size


@settings(max_examples=300)
@given(st.text() | st.binary().map(lambda raw: base64.b64encode(b"\xff\xd8" + raw + b"\x00" * 30).decode()))
def test_any_data_is_an_image(data: str) -> None:
    """Data that is no image has no size, and counts as an image of the usual one."""
    size = size_of(data)
    assert size is None or min(size) > 0
    for model in ("gpt-4o", "gpt-5-mini", "claude-opus-4-8", "gemini-2.5-flash", "gemini-3-pro", None):
        assert image_tokens(Image(data), model) > 0


@pytest.mark.parametrize(
    ("model", "size", "detail", "count"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o-mini", (1024, 1024), None, 25_501),
        ("gpt-5", (1024, 1024), None, 630),
        ("o1", (1024, 1024), "auto", 675),
        ("gpt-4.1-mini", (1024, 1024), None, 1659),
        ("gpt-5.2", (1024, 1024), None, 1024),
        ("gpt-5.2", (1800, 2400), None, 1452),
        ("claude-sonnet-4-5", (200, 200), None, 54),
        ("claude-sonnet-4-5", (1000, 1000), None, 1334),
        ("claude-sonnet-4-5", (8000, 8000), None, 1600),
        ("gemini-2.5-flash", (384, 384), None, 258),
        ("gemini-2.0-flash", (3008, 2000), None, 13 * 258),
        ("gemini-3-pro-preview", (384, 384), None, 1120),
        ("gemini-3-pro-preview", (384, 384), "MEDIA_RESOLUTION_LOW", 280),
        ("a-new-model", None, None, 765),
    ],
)
def test_image_formulas(model: str, size: tuple[int, int] | None, detail: str | None, count: int) -> None:
    """The counts are those of the examples in the providers' documentation, or of what they report."""
    data = None
    if size is not None:  # the head of a PNG tells its size
        head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
        data = base64.b64encode(head + b"\x00" * 8).decode()
    assert image_tokens(Image(data, detail), model) == count


PNG: Final = {"mimeType": "image/png", "data": "U"}


def user(*content: dict[str, Any]) -> list[dict[str, Any]]:
    """A message of these parts."""
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    ("api", "body"),
    [
        ("openai.chat", {"messages": user({"type": "image_url", "image_url": {"url": "U"}})}),
        ("openai.chat", {"messages": user({"type": "image_url", "image_url": "U"})}),
        ("openai.responses", {"input": user({"type": "input_image", "image_url": "U"})}),
        ("anthropic.messages", {"messages": user({"type": "image", "source": {"type": "base64", "data": "U"}})}),
        ("google.generate_content", {"contents": [{"parts": [{"inlineData": PNG}]}]}),
        ("ollama.chat", {"messages": [{"role": "user", "content": "", "images": ["U"]}]}),
        ("aws.bedrock.converse", {"messages": user({"image": {"format": "png", "source": {"bytes": "U"}}})}),
    ],
)
def test_images_of_all_forms(api: str, body: dict[str, Any]) -> None:
    """An image is found in every provider's form, and nothing of it is read as text."""
    prompt = prompt_of(Request(json.dumps(body).encode()), TABLES[api], None)
    assert (prompt.images, [text for text in prompt.texts if text]) == ([Image("U")], [])
