"""Every name that leaves by OTLP, in one place: the conventions for generative AI are still moving.

As of November 2026: open-telemetry/semantic-conventions-genai, with the renamings that its
migration guide lists since 1.41 (`cache_write`, the inference metrics, the counters of usage in
place of the one histogram). What the conventions have no name for begins with `harness.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.domain.waits import Wait

# Values of gen_ai.operation.name.
CHAT = "chat"
INVOKE_WORKFLOW = "invoke_workflow"

# Attributes of the conventions.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
WORKFLOW = "gen_ai.workflow.name"
REQUEST_MODEL = "gen_ai.request.model"
MAX_TOKENS = "gen_ai.request.max_tokens"
TEMPERATURE = "gen_ai.request.temperature"
TOP_P = "gen_ai.request.top_p"
STOP_SEQUENCES = "gen_ai.request.stop_sequences"
STREAM = "gen_ai.request.stream"
OUTPUT_TYPE = "gen_ai.output.type"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
MODALITY = "gen_ai.token.modality"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"

# Attributes of ours.
RUN_ID = "harness.run.id"
TOPIC_ID = "harness.topic.id"
TOPIC_INDEX = "harness.topic.index"
TOPIC_STATUS = "harness.topic.status"
TOPIC_TEXT = "harness.topic.text"
TOPIC_OUTPUT = "harness.topic.output"
CALL_ID = "harness.call.id"
CALL_KEY = "harness.call.key"
STEP = "harness.step"
PART = "harness.part"
SOURCE = "harness.source"
ATTEMPTS = "harness.attempts"
CALLS = "harness.calls"
HITS = "harness.hits"
COST = "harness.cost"
SAVED = "harness.saved"
FINGERPRINT = "harness.response.fingerprint"
REJECTED = "harness.rejected"
THINKING = "harness.request.thinking"
EFFORT = "harness.request.effort"
TIME_TO_FIRST_ANSWER = "harness.time_to_first_answer"
LATENCY = "harness.latency"
ATTEMPT_FAILED = "harness.attempt_failed"
ATTEMPT_NUMBER = "harness.attempt.number"
ATTEMPT_ELAPSED = "harness.attempt.elapsed"
HTTP_STATUS = "http.response.status_code"
ERROR_MESSAGE = "harness.error.message"


def wait(kind: Wait) -> str:
    """The attribute that tells this kind of wait, such as `harness.wait.queue`."""
    return f"harness.wait.{kind.attribute}"


_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_LONG = (*_SECONDS, 163.84, 327.68, 655.36, 1310.72)
_TOKENS = (
    1,
    4,
    16,
    64,
    256,
    1024,
    4096,
    16384,
    65536,
    262144,
    1048576,
    4194304,
    16777216,
    67108864,
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric. `buckets` are the bounds of a histogram."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    meaning: str
    buckets: tuple[float, ...] = ()


REQUEST_DURATION = Instrument(
    "gen_ai.client.inference.duration",
    "histogram",
    "s",
    "Time of one request, a failed one too.",
    _LONG,
)
FIRST_CHUNK = Instrument(
    "gen_ai.client.inference.time_to_first_chunk",
    "histogram",
    "s",
    "From sending to the first piece.",
    _SECONDS,
)
INPUT_USAGE = Instrument(
    "gen_ai.client.inference.usage.input_tokens",
    "counter",
    "{token}",
    "Tokens of prompts that were paid for.",
)
OUTPUT_USAGE = Instrument(
    "gen_ai.client.inference.usage.output_tokens",
    "counter",
    "{token}",
    "Tokens of reasoning and answers.",
)
CACHE_READ_USAGE = Instrument(
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "counter",
    "{token}",
    "The part of the input that the provider took from its own prefix cache.",
)
REASONING_USAGE = Instrument(
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "counter",
    "{token}",
    "The part that is reasoning.",
)
INPUT_OF_CALL = Instrument(
    "gen_ai.client.inference.operation.input_tokens",
    "histogram",
    "{token}",
    "Input tokens of a call.",
    _TOKENS,
)
OUTPUT_OF_CALL = Instrument(
    "gen_ai.client.inference.operation.output_tokens",
    "histogram",
    "{token}",
    "Output tokens of a call.",
    _TOKENS,
)
WORKFLOW_DURATION = Instrument(
    "gen_ai.invoke_workflow.duration",
    "histogram",
    "s",
    "Time of a topic from its begin to its end.",
    _LONG,
)
TOPIC_COUNT = Instrument(
    "harness.topics", "counter", "{topic}", "Topics that were finished, by status."
)
CALL_COUNT = Instrument("harness.calls", "counter", "{call}", "Calls that ended, by source.")
COST_COUNT = Instrument("harness.cost", "counter", "{USD}", "USD paid, where the price is known.")
IN_FLIGHT = Instrument("harness.calls.in_flight", "gauge", "{call}", "Requests under way.")
WAITING = Instrument("harness.calls.waiting", "gauge", "{call}", "Calls that wait for a slot.")
SLOTS = Instrument(
    "harness.calls.limit", "gauge", "{call}", "Requests that may be under way at once."
)
DOWN = Instrument("harness.provider.down", "gauge", "1", "1 while the provider is away, else 0.")

INSTRUMENTS: tuple[Instrument, ...] = (
    *(REQUEST_DURATION, FIRST_CHUNK, INPUT_USAGE, OUTPUT_USAGE, CACHE_READ_USAGE, REASONING_USAGE),
    *(INPUT_OF_CALL, OUTPUT_OF_CALL, WORKFLOW_DURATION, TOPIC_COUNT, CALL_COUNT, COST_COUNT),
    *(IN_FLIGHT, WAITING, SLOTS, DOWN),
)
