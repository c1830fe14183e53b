"""Tools as the models read them. OpenAI's models read TypeScript, others about the JSON that was sent.

OpenAI documents that tools are written into the prompt and count (https://platform.openai.com/docs/guides/function-calling),
not how; that it is TypeScript is what models have shown, and what the counts bear out.
"""

from __future__ import annotations

import json
from typing import Any, Final

_SAME: Final = frozenset({"string", "number", "boolean", "null"})
_DESCRIBED_DEPTH: Final = 2
_DEEPEST: Final = 20


def functions_of(tools: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - requests hold anything
    """The definitions of functions among the tools of a request, in the forms of all providers."""
    found = []
    for tool in tools if isinstance(tools, list) else []:
        if not isinstance(tool, dict):
            continue
        inner = tool.get("functionDeclarations", tool.get("function_declarations"))
        if isinstance(inner, list):  # Google's
            found += [one for one in inner if isinstance(one, dict)]
            continue
        inner = tool.get("function", tool.get("toolSpec"))  # OpenAI's chat, Bedrock's
        function = inner if isinstance(inner, dict) else tool
        if isinstance(function.get("name"), str):
            found.append(function)
    return found


def as_json(definition: Any) -> str:  # noqa: ANN401 - requests hold anything
    """A definition, or several, as compact JSON."""
    return json.dumps(definition, ensure_ascii=False, separators=(",", ":"), default=str)


def as_typescript(functions: list[dict[str, Any]]) -> str:
    """Definitions as OpenAI's models read them."""
    lines = ["namespace functions {", ""]
    for function in functions:
        lines += _comment(function)
        parameters = function.get("parameters")
        name = function.get("name")
        if isinstance(parameters, dict) and parameters.get("properties"):
            lines += [f"type {name} = (_: {{", *_properties(parameters, 0), "}) => any;", ""]
        else:
            lines += [f"type {name} = () => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


def _comment(schema: dict[str, Any]) -> list[str]:
    description = schema.get("description")
    return [f"// {description}"] if isinstance(description, str) and description else []


def _properties(schema: dict[str, Any], depth: int) -> list[str]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or depth > _DEEPEST:
        return []
    lines: list[str] = []
    for name, value in properties.items():
        if depth < _DESCRIBED_DEPTH and isinstance(value, dict):
            lines += _comment(value)
        mark = "" if isinstance(required, list) and name in required else "?"
        lines.append(f"{name}{mark}: {_type(value, depth)},")
    return lines


def _type(schema: Any, depth: int) -> str:  # noqa: ANN401 - schemas hold anything
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return "any"
    choices = schema.get("enum")
    if isinstance(choices, list):
        return " | ".join(json.dumps(choice, ensure_ascii=False, default=str) for choice in choices)
    given = schema.get("type")
    kind = given.lower() if isinstance(given, str) else "any"
    if kind == "array":
        return f"{_type(schema.get('items'), depth + 1)}[]"
    if kind == "object":
        inside = _properties(schema, depth + 1)
        return "\n".join(["{", *inside, "}"]) if inside else "object"
    if kind == "integer":
        return "number"
    return kind if kind in _SAME else "any"
