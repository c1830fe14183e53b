"""What a model reads of a request: texts, images, and the framing around messages, in pieces to be counted.

OpenAI's framing is documented in https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken; those of
open models are their chat templates. The request is walked without recursion, however deep it is nested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nbtokens.families import framing_of
from nbtokens.image_tokens import Image
from nbtokens.tool_definitions import as_json, as_typescript, functions_of

if TYPE_CHECKING:
    from nbtokens.families import Framing
    from nbtokens.formats.request import Request
    from nbtokens.formats.table import Format

# Keys whose values are no text that a model reads: names of kinds, references, settings, encoded media.
_NOT_READ: Final = frozenset(
    {
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "status", "index", "object"),
        *("url", "data", "file_id", "file_data", "fileUri", "file_uri", "uri", "bytes", "media_type", "mime_type"),
        *("mimeType", "format", "input_audio", "audio", "signature", "thoughtSignature", "encrypted_content"),
        *("cache_control", "cachePoint", "detail", "resolution", "annotations", "logprobs", "model", "taskType"),
        # What a model once thought is not given to it again.
        *("reasoning", "reasoning_content", "reasoning_details", "thinking"),
    }
)
_TOOLS: Final = frozenset({"tools", "functions", "toolConfig"})
FRAMED: Final = frozenset({"chat", "generate_content"})
_TEMPLATED: Final = "ollama.generate"
"""A text completion whose prompt becomes the message of a chat."""
_ITEMS: Final = frozenset({"function_call", "function_call_output"})
_SYSTEM: Final = frozenset({"system", "developer"})
_SCHEMA_KEYS: Final = ("response_format", "text")
_SCHEMA_FRAME: Final = 10


@dataclass
class Prompt:
    """A request, as pieces to be counted.

    Attributes:
        texts: what is counted with an encoding.
        framing: tokens around them.
        images: what is counted by its size.
        messages, calls: how many there are.
        instructed: whether one of the messages is a system's.
    """

    texts: list[str] = field(default_factory=list)
    framing: int = 0
    images: list[Image] = field(default_factory=list)
    messages: int = 0
    calls: int = 0
    instructed: bool = False

    def read(self, value: Any) -> None:  # noqa: ANN401 - requests hold anything
        """Take in a part of a request, in its order."""
        stack = [value]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                self.texts.append(one)
            elif isinstance(one, list):
                stack.extend(reversed(one))
            elif isinstance(one, dict):
                stack.extend(reversed(self._parts(one)))

    def _parts(self, value: dict[str, Any]) -> list[Any]:
        image = image_of(value)
        if image is not None:
            self.images.append(image)
            return []
        role = value.get("role")
        kind = _text(value.get("type"))
        if role is not None or kind in _ITEMS:
            self.messages += 1
            self.instructed = self.instructed or (isinstance(role, str) and role in _SYSTEM)
            self.framing += isinstance(value.get("name"), str) and role is not None
        calls, pictures = value.get("tool_calls"), value.get("images")
        self.calls += len(calls) if isinstance(calls, list) else kind == "function_call"
        if isinstance(pictures, list):  # Ollama's
            self.images += [Image(picture) for picture in pictures if isinstance(picture, str)]
            value = {key: part for key, part in value.items() if key != "images"}
        return [part for key, part in value.items() if key not in _NOT_READ]


def prompt_of(request: Request, table: Format, model: str | None) -> Prompt:
    """What the model reads of a request.

    Args:
        request: the request's body.
        table: its wire format.
        model: whose framing it gets.
    """
    prompt = Prompt()
    for key in table.prompt:
        value = request.get(key)
        if key not in _TOOLS:
            prompt.read(value)
            # A plain string is a message of its own; a system's is, where it is one of OpenAI's.
            prompt.messages += isinstance(value, str) and key not in {"system", "systemInstruction"}
    if (table.call_type in FRAMED or table.api == _TEMPLATED) and (prompt.texts or prompt.images):
        framing = framing_of(model)
        prompt.framing += framing.request + framing.message * prompt.messages + framing.call * prompt.calls
        prompt.framing += framing.system * prompt.instructed
        _read_tools(prompt, request, framing)
        _read_schema(prompt, request)
    return prompt


def _read_tools(prompt: Prompt, request: Request, framing: Framing) -> None:
    tools = request.get("tools") or request.get("functions")
    config = request.get("toolConfig")
    if isinstance(config, dict) and tools is None:  # Bedrock's
        tools = config.get("tools")
    functions = functions_of(tools)
    if not functions:
        return
    if framing.typescript:
        prompt.texts.append(as_typescript(functions))
        prompt.framing += framing.tools - (framing.tools_in_system if prompt.instructed else 0)
    else:
        prompt.texts.append(as_json(functions))
        prompt.framing += framing.tools


def _read_schema(prompt: Prompt, request: Request) -> None:
    """A JSON schema for the answer is read as it is."""
    for key in _SCHEMA_KEYS:
        value = request.get(key)
        wanted = value.get("format", value) if isinstance(value, dict) else None
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            inner = wanted.get("json_schema", wanted)
            prompt.texts.append(as_json(inner.get("schema")) if isinstance(inner, dict) else "")
            prompt.framing += _SCHEMA_FRAME


def image_of(value: dict[str, Any]) -> Image | None:
    """The image that a part of a prompt is, in the forms of all providers."""
    for read in (_openai_image, _anthropic_image, _google_image, _bedrock_image):
        image = read(value)
        if image is not None:
            return image
    return None


def _openai_image(value: dict[str, Any]) -> Image | None:
    if _text(value.get("type")) not in {"image_url", "input_image"}:
        return None
    inner = value.get("image_url")
    holder = inner if isinstance(inner, dict) else value
    return Image(_text(inner.get("url") if isinstance(inner, dict) else inner), _text(holder.get("detail")))


def _anthropic_image(value: dict[str, Any]) -> Image | None:
    """Anthropic's `source`, and Google's interactions, which hold the data themselves."""
    if value.get("type") != "image":
        return None
    source = value.get("source")
    holder = source if isinstance(source, dict) else value
    return Image(_text(holder.get("data")), _text(value.get("resolution")))


def _google_image(value: dict[str, Any]) -> Image | None:
    for key in ("inlineData", "inline_data", "fileData", "file_data"):
        inner = value.get(key)
        if isinstance(inner, dict):
            kind = inner.get("mimeType", inner.get("mime_type"))
            if isinstance(kind, str) and kind.startswith("image/"):
                return Image(_text(inner.get("data")))
    return None


def _bedrock_image(value: dict[str, Any]) -> Image | None:
    inner = value.get("image")
    source = inner.get("source") if isinstance(inner, dict) else None
    return Image(_text(source.get("bytes"))) if isinstance(source, dict) else None


def _text(value: Any) -> str | None:  # noqa: ANN401 - requests hold anything
    return value if isinstance(value, str) else None
