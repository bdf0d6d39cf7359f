"""One answer put together from its chunks, or from the one object of a whole answer.

Most chunks hold one plain delta and nothing else that is new. They are read first, and with few
steps: a long answer comes in thousands of them.
"""

from __future__ import annotations

from typing import Any

from harness.domain.completion import Completion, Served
from harness.domain.finish import finish_of, plain_reason, truer_reason
from harness.endpoint import foreign_json, payload, thinking
from harness.endpoint.answering_model import AnsweringModel
from harness.endpoint.arrivals import Arrivals, rest_of
from harness.endpoint.calls import Calls
from harness.endpoint.error_report import reports_an_error
from harness.endpoint.fields import choices_of, object_of
from harness.endpoint.finish_fields import blocked_in, filtered_in, reason_in
from harness.endpoint.likelihoods import Likelihoods
from harness.endpoint.live_view import LiveView
from harness.endpoint.pieces import PLAIN_FIELDS, calls_beside, said_in
from harness.endpoint.usage_and_cost import UsageAndCost

_PLAIN_CHOICE = 4
"""Fields of a choice that holds nothing but `index`, `delta`, `logprobs` and `finish_reason`."""
_BESIDE_A_MESSAGE = ("refusal", "tool_calls")
"""Fields that some servers write into the choice and not into its message."""
_NAMELESS_CHOICE = 2
"""Fields of a choice that holds nothing but `index` and `delta`; one with more may name its reason
otherwise.
"""


class StreamFault(Exception):  # noqa: N818 - it carries a server's report, which becomes one of our errors later
    """The response says that it failed: `report` is the JSON object that says so."""

    def __init__(self, report: foreign_json.JsonObject) -> None:
        super().__init__("an error event")
        self.report = report


class Answer:
    """`take` its chunks in order; then `completion` is what has arrived, whole or not.

    `view` is shown each piece as it comes. `logprobs`: the likelihoods of the tokens were asked
    for, and are kept.
    """

    def __init__(self, *, view: LiveView | None = None, logprobs: bool = False) -> None:
        self.arrived = Arrivals()
        self._view = view
        self._logprobs = Likelihoods() if logprobs else None
        self._begun = False  # a chunk that names the model has come
        self._index: object = None  # of the choice that is read, None before the first
        self._who = AnsweringModel()
        self._said_fingerprint: object = (
            None  # by the last chunk: one with the same says nothing new
        )
        self._reason = ""
        self._native_reason = ""
        self._reasoning_in = "reasoning_content"
        self._refusal: list[str] | None = None
        self._filtered: list[str] = []
        self._calls = Calls()
        self._usage_and_cost = UsageAndCost()

    @property
    def reason(self) -> str:
        """Return why the answer ended, in OpenAI's words where it has one; "" where nobody said
        it.
        """
        reason = plain_reason(truer_reason(self._reason, self._native_reason))
        if (
            self._filtered
            and not self._is_more_than_blank
            and finish_of(reason) in ("whole", "untold")
        ):
            return "content_filter"
        return "" if finish_of(reason) == "untold" else reason

    @property
    def says_something(self) -> bool:
        """Return whether there is a text, a call, or words of refusal, whole or not."""
        return self._is_more_than_blank or self._refusal is not None

    @property
    def is_withheld(self) -> bool:
        """Return whether a filter says that it took something away."""
        return bool(self._filtered)

    @property
    def counted(self) -> bool:
        """Return whether a usage came at the end: whoever is cut sends none."""
        return self._usage_and_cost.counts_all(self.arrived.count)

    @property
    def counted_by_gateway(self) -> bool | None:
        """Return whether the usage is of a gateway's own making; None: there is none."""
        return self._usage_and_cost.by_gateway

    @property
    def calls_tools(self) -> bool:
        return bool(self._calls)

    @property
    def reasoning_in(self) -> str:
        """The field in which the reasoning came; the mark that it stands behind in the text.

        "" where there is none.
        """
        if self.reasoning_is_told:
            return self._reasoning_in
        return thinking.mark_in("".join(self.arrived.answer))

    @property
    def reasoning_is_told(self) -> bool:
        """Return whether the server tells reasoning apart from the answer."""
        return any(text.strip() for text in self.arrived.reasoning)

    @property
    def finish_told(self) -> bool:
        """Return whether the server named a reason for the end."""
        return bool(self._reason)

    @property
    def usage_told(self) -> bool:
        """Return whether the server told a number of tokens."""
        return bool(self._usage_and_cost.usage.total_tokens)

    @property
    def has_begun(self) -> bool:
        """Return whether anything has come that a partial answer can be made of."""
        texts = self.arrived.answer or self.arrived.reasoning
        return bool(
            texts or self._calls or self._usage_and_cost.is_told or self._refusal is not None
        )

    def completion(
        self,
        *,
        trace_id: str | None,
        reason: str | None = None,
        served: Served | None = None,
        cost: float | None = None,
    ) -> Completion:
        """Everything taken in so far. `reason` is why it ended, where the caller knows better;
        `cost` is what a gateway told beside it, for an answer that does not tell its own.
        """
        told_cost = self._usage_and_cost.cost
        reasoning, answer = self.arrived.told_apart()
        likely = self._logprobs or Likelihoods()
        return Completion(
            model=self._who.model,
            content=answer,
            reasoning=reasoning,
            finish_reason=self.reason if reason is None else reason,
            tool_calls=self._calls.whole(),
            usage=self._usage_and_cost.usage,
            fingerprint=self._who.fingerprint or None,
            earlier=self._who.earlier,
            trace_id=trace_id,
            cost=cost if told_cost is None else told_cost,
            served=served or Served(),
            refusal=self._declined(),
            logprobs=tuple(likely.answer),
            reasoning_logprobs=tuple(likely.reasoning),
        )

    def take(self, chunk: foreign_json.JsonObject, at: float) -> None:
        """Take in one chunk that came at this time.

        Raises MalformedError for garbage, StreamFault for an error.
        """
        choices = chunk.get("choices")
        if self._begun and type(choices) is list and len(choices) == 1 and not chunk.get("usage"):
            choice = choices[0]
            if (
                type(choice) is dict
                and len(choice) <= _PLAIN_CHOICE
                and choice.get("index") == self._index
            ):
                delta = choice.get("delta")
                ends = choice.get("finish_reason", len(choice) > _NAMELESS_CHOICE)
                if delta and type(delta) is dict and not ends and not chunk.get("error"):
                    # Another model stays to the end, and the last chunks are none of these.
                    if chunk.get("system_fingerprint") != self._said_fingerprint:
                        self._name(chunk)
                    self._take_delta(delta, at)
                    return
        self._take_any(chunk, at)

    @property
    def _is_more_than_blank(self) -> bool:
        return bool(self._calls) or self.arrived.has_text

    def _declined(self) -> str:
        """The words of a refusal, or what a filter found."""
        if self._refusal is not None:
            return "".join(self._refusal).strip() or "it gave no words"
        if self.reason == "content_filter":
            return ", ".join(dict.fromkeys(self._filtered))
        return ""

    def _take_any(self, chunk: foreign_json.JsonObject, at: float) -> None:
        if chunk.get("error") and reports_an_error(chunk):
            raise StreamFault(chunk)
        self._name(chunk)
        pieces = self.arrived.count
        choices = choices_of(chunk)
        for choice in choices:
            self._take_choice(choice, chunk, at)
        if not choices:
            self._take_rest(chunk)
        if chunk.get("usage"):
            self._take_usage(chunk["usage"])
            if self.arrived.count > pieces:
                self._usage_and_cost.came_with_text()
        # Where likelihoods are kept, no chunk is a plain one: they stand beside its delta.
        self._begun = bool(self._who.model) and self._logprobs is None

    def _name(self, chunk: foreign_json.JsonObject) -> None:
        self._said_fingerprint = chunk.get("system_fingerprint")
        self._who.take(chunk)

    def _take_rest(self, chunk: foreign_json.JsonObject) -> None:
        """A chunk without a choice: an error, an account of the work, or nothing."""
        blocked = blocked_in(chunk)
        if blocked:
            self._filtered.append(blocked)
        elif reports_an_error(chunk) and not payload.says_nothing(chunk):
            raise StreamFault(chunk)
        self._usage_and_cost.take_account(chunk, pieces=self.arrived.count)

    def _take_usage(self, fields: object) -> None:
        self._usage_and_cost.take(fields, pieces=self.arrived.count)

    def _take_choice(
        self, choice: dict[str, Any], chunk: foreign_json.JsonObject, at: float
    ) -> None:
        index = choice.get("index")
        if index != self._index and index is not None:
            if self._index is None:
                self._index = index
            elif str(index) != str(self._index):
                return  # another answer to the same request, which was not asked for
        delta = _message_of(choice.get("delta"), "delta")
        if delta:
            self._take_delta(delta, at)
        if self._logprobs is not None:
            content = delta.get("content") if delta else None
            self._logprobs.take(
                choice.get("logprobs"), piece=content if isinstance(content, str) else ""
            )
        if (
            choice.get("finish_reason", len(choice) > _NAMELESS_CHOICE)
            or len(choice) > _PLAIN_CHOICE
            or not delta
        ):
            self._take_end(choice, chunk, at)

    def _take_end(self, choice: dict[str, Any], chunk: foreign_json.JsonObject, at: float) -> None:
        """Take in what a choice holds besides a delta, mostly at the end."""
        self._check_fault(choice)
        message = None if choice.get("delta") else _message_of(choice.get("message"), "message")
        if message is not None:
            self._take_message(message, at)
        elif not choice.get("delta") and isinstance(choice.get("text"), str):
            self._take_delta({"content": choice["text"]}, at)
        for name in _BESIDE_A_MESSAGE:
            if choice.get(name) and not (message or {}).get(name):
                self._take_delta({name: choice[name]}, at)
        native = choice.get("native_finish_reason") or _behind(choice).get("native_finish_reason")
        if isinstance(native, str):
            self._native_reason = native
        if choice.get("usage"):
            self._take_usage(choice["usage"])
        self._filtered.extend(filtered_in(choice))
        reason = reason_in(choice) or reason_in(chunk)
        if reason:
            self._take_reason(reason)
            blocked = blocked_in(chunk)
            self._filtered.extend([blocked] if blocked else [])
            self._usage_and_cost.take_account(chunk, pieces=self.arrived.count)

    def _check_fault(self, fields: foreign_json.JsonObject) -> None:
        """Raise StreamFault where a choice, or what it holds, has an error of its own."""
        if fields.get("error") and reports_an_error(fields):
            raise StreamFault({"error": fields["error"]})

    def _take_reason(self, reason: str) -> None:
        """Take in why it ended.

        Where several are told, a gateway's last word takes nothing back.
        """
        self._reason = truer_reason(reason, self._reason)

    def _take_message(self, message: dict[str, Any], at: float) -> None:
        """A whole message. In a stream it may repeat all that came before."""
        came = self.arrived.count
        self._take_delta(rest_of(message, self.arrived, self._calls) if came else message, at)

    def _take_delta(self, delta: dict[str, Any], at: float) -> None:
        answer, reasoning, calls = delta.get("content"), delta.get("reasoning_content"), None
        plain = (answer is None or type(answer) is str) and (
            reasoning is None or type(reasoning) is str
        )
        if answer is None or len(delta) > 1:
            for name, value in delta.items():
                if value and name not in PLAIN_FIELDS:
                    if name == "tool_calls":
                        calls = value
                    elif name == "reasoning" and type(value) is str:
                        self._reasoning_in = self._reasoning_in if reasoning else name
                        reasoning = reasoning or value
                    else:
                        plain = False
        if not plain:
            answer, reasoning = self._take_other_fields(delta)
            calls = calls or calls_beside(delta)
        if calls:
            self._take_calls(calls, at)
        if reasoning:
            self._add_reasoning(reasoning, at)
        if answer:
            self._add_answer(answer, at)

    def _add_reasoning(self, text: str, at: float) -> None:
        self.arrived.reasoning.append(text)
        self.arrived.reasoning_at.append(at)
        if self._view is not None:
            self._view.reasoning(text)

    def _add_answer(self, text: str, at: float) -> None:
        self.arrived.answer.append(text)
        self.arrived.answer_at.append(at)
        if self._view is not None:
            self._view.answer(text)

    def _take_calls(self, pieces: object, at: float) -> None:
        if self._calls.take(pieces):
            self.arrived.calls_at.append(at)

    def _take_other_fields(self, delta: dict[str, Any]) -> tuple[str, str]:
        """The texts wherever they stand, the answer and the reasoning.

        And what else it is that they stand beside.
        """
        self._check_fault(delta)
        said = said_in(delta)
        reason = reason_in(delta)
        if reason:
            self._take_reason(reason)
        if delta.get("usage"):
            self._take_usage(delta["usage"])
        if said.refusal is not None:
            self._refusal = [*(self._refusal or ()), said.refusal]
        native = _behind(delta).get("native_finish_reason")
        if isinstance(native, str):
            self._native_reason = native
        self._reasoning_in = said.reasoning_in or self._reasoning_in
        return said.answer, said.reasoning


def _message_of(value: object, what: str) -> dict[str, Any] | None:
    """A message or a delta, which may be its bare text.

    Raises MalformedError for what is neither.
    """
    if isinstance(value, str):
        return {"content": value}
    if value is None or isinstance(value, dict):
        return value
    raise foreign_json.MalformedError(f"a {what} that is no object")


def _behind(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what litellm passes on of the provider behind it."""
    return object_of(fields, "provider_specific_fields")
