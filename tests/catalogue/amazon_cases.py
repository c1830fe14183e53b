"""Amazon: Bedrock's converse and agents, and SageMaker.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/agents-test.html#trace-events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from catalogue.anthropic_cases import READ
from catalogue.case import JSON, Case, chunk_frames, frame, frames, plain, tokens
from catalogue.invoke_cases import ASKED, EVENTS, RUNTIME
from catalogue.openai_cases import USAGE

_ARN: Final = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
_PACKED_ARN: Final = _ARN.replace(":", "%3A").replace("/", "%2F")
_CONVERSE_USAGE: Final = {
    "inputTokens": 10,
    "cacheReadInputTokens": 5,
    "cacheWriteInputTokens": 4,
    "outputTokens": 10,
    "totalTokens": 29,
}
_CONVERSE: Final = Case(
    "bedrock converse",
    f"{RUNTIME}/us.amazon.nova-pro-v1%3A0/converse",
    ASKED,
    plain(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
            "stopReason": "end_turn",
            "usage": _CONVERSE_USAGE,
        }
    ),
    "aws.bedrock",
    "aws.bedrock.converse",
    tokens=READ,
    model="us.amazon.nova-pro-v1:0",
    call_type="chat",
)
_CONVERSE_STREAM: Final = replace(
    _CONVERSE,
    name="bedrock converse stream",
    url=f"{RUNTIME}/us.amazon.nova-pro-v1%3A0/converse-stream",
    body=frames(
        messageStart={"role": "assistant"},
        contentBlockDelta={"delta": {"text": "Because."}, "contentBlockIndex": 0},
        messageStop={"stopReason": "end_turn"},
        metadata={"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 9}},
    ),
    headers=EVENTS,
)
_TRACE: Final = {"modelInvocationOutput": {"metadata": {"usage": {"inputTokens": 10, "outputTokens": 5}}}}
_AGENTS: Final = "https://bedrock-agent-runtime.us-east-1.amazonaws.com"
CASES: Final = (
    _CONVERSE,
    _CONVERSE_STREAM,
    replace(_CONVERSE, name="bedrock converse with a profile", url=f"{RUNTIME}/{_PACKED_ARN}/converse", model=_ARN),
    replace(_CONVERSE, name="bedrock converse with a profile as it is", url=f"{RUNTIME}/{_ARN}/converse", model=_ARN),
    replace(
        _CONVERSE_STREAM,
        name="bedrock converse stream that is throttled",
        body=frames(messageStart={"role": "assistant"})
        + frame(b'{"message":"slow down"}', exception_type="throttlingException", message_type="exception"),
        kind="error",
        error="throttlingException",
        tokens={},
    ),
    replace(
        _CONVERSE,
        name="bedrock refused",
        body=plain({"message": "The security token included in the request is expired"}),
        status=403,
        headers={**JSON, "x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"},
        kind="error",
        error="ExpiredTokenException",
        tokens={},
    ),
    Case(
        "bedrock agent with traces",
        f"{_AGENTS}/agents/A1/agentAliases/B1/sessions/s1/text",
        {"inputText": "Why?", "enableTrace": True},
        frames(trace={"agentId": "A1", "trace": {"preProcessingTrace": _TRACE}})
        + frames(trace={"agentId": "A1", "trace": {"orchestrationTrace": _TRACE}})
        + frames(trace={"agentId": "A1", "trace": {"orchestrationTrace": _TRACE}})
        + chunk_frames({"bytes": "QmVjYXVzZS4="}),
        "aws.bedrock",
        "aws.bedrock.agent",
        tokens=tokens(30, 15),
        headers=EVENTS,
        call_type="invoke_agent",
    ),
    Case(
        "bedrock agent without traces",
        f"{_AGENTS}/agents/A1/agentAliases/B1/sessions/s1/text",
        {"inputText": "Why?"},
        frames(chunk={"bytes": "QmVjYXVzZS4="}),
        "aws.bedrock",
        "aws.bedrock.agent",
        kind="no_usage",
        headers=EVENTS,
    ),
    Case(
        "bedrock inline agent",
        f"{_AGENTS}/agents/session-1",
        {
            "foundationModel": "amazon.nova-pro-v1:0",
            "instruction": "Be brief",
            "inputText": "Why?",
            "enableTrace": True,
        },
        frames(trace={"trace": {"orchestrationTrace": _TRACE}}, chunk={"bytes": "QmVjYXVzZS4="}),
        "aws.bedrock",
        "aws.bedrock.agent",
        tokens=tokens(10, 5),
        model="amazon.nova-pro-v1:0",
        headers=EVENTS,
    ),
    Case(
        "bedrock retrieve and generate",
        f"{_AGENTS}/retrieveAndGenerate",
        {"input": {"text": "Why?"}},
        plain({"citations": [], "output": {"text": "Because."}}),
        "aws.bedrock",
        "aws.bedrock.agent",
        kind="no_usage",
    ),
    Case(
        "sagemaker endpoint",
        "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/mine/invocations",
        {"messages": [{"role": "user", "content": "Why?"}]},
        plain({"id": "1", "model": "served-model", "choices": [], "usage": USAGE}),
        "aws.sagemaker",
        "aws.sagemaker",
        tokens=tokens(19, 10),
        model="served-model",
    ),
    Case(
        "sagemaker endpoint without figures",
        "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/mine/invocations",
        {"inputs": "Why?"},
        plain([{"generated_text": "Because."}]),
        "aws.sagemaker",
        "aws.sagemaker",
        kind="no_usage",
        model="mine",
    ),
)
