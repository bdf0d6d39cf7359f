"""A tiny language model that thinks, made by hand: a GGUF file that llama.cpp serves, without
weights from anywhere.

It is a chain: of a prompt it sees only which of some words occur in it, and each token that it
writes has its successors. So what it writes is known, and it writes it in a millisecond a token.
After `<think>` and a thought it answers:

- with a JSON array of three questions where the prompt says "JSON array",
- with a call of the tool `weather` where tools are offered and have not answered yet,
- with the numbers up to 200 where the prompt says "COUNT",
- else with a few sentences, in which one word is drawn: `moon` or `sun`.

Where a grammar rules what may come, it writes the shortest that the grammar allows.

How: one layer of a llama. A token's embedding is a one of its own, beside a one that all have. The
only head looks at the strongest of the words above, wherever it stands, and adds a one for it. The
output matrix holds the successors. Nothing else of the layer does anything; `ballast` makes it
wider and so slower, and changes no token.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

THOUGHT = "First the facts, then the figures."
ANSWER = "The tides follow the moon|sun and cost little [1], but never rest [2]."
ANSWERS = (ANSWER.replace("|sun", ""), ANSWER.replace("moon|", ""))
ARRAY = '["What is it?", "How does it work?", "What does it cost?"]'
CALL = '{"name": "weather", "arguments": {"city": "Paris", "days": 3}}'
COUNT = " ".join(map(str, range(1, 201)))
CONTEXT = 16_384
NAME = "tiny-chain"

TEMPLATE = """\
{%- if tools %}{{- '<|im_start|>system\\n<tools>' }}{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}\
{{- '\\n</tools><|im_end|>\\n' }}{%- endif %}\
{%- for m in messages %}\
{%- if m.role == 'tool' %}\
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}\
{%- else %}{{- '<|im_start|>' + m.role + '\\n' }}\
{%- if m.role == 'assistant' and m.reasoning_content %}\
{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}\
{%- if m.content %}{{- m.content }}{%- endif %}\
{%- for call in (m.tool_calls or []) %}\
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}\
{{- (call.function.arguments if call.function.arguments is string else call.function.arguments | tojson) }}\
{{- '}\\n</tool_call>' }}{%- endfor %}\
{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}\
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}\
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}\
{%- endif %}"""

_START, _END = "<|im_start|>", "<|im_end|>"
_TURN, _THINK, _THOUGHT = "assistant\n", "<think>\n", "</think>\n\n"
# Words that are seen in a prompt, the strongest last, and what is answered then.
_SEEN = {"COUNT": "count", "JSON array": "array", "<tools>": "call", "<tool_response>": "text"}
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4

_WIDTH = 512
_HEADS = 8
_HEAD = _WIDTH // _HEADS
_ALWAYS, _MODE = 0, 1  # the dimensions of the one that all tokens have, and of the modes
_OWN = 8  # the first dimension of a token's own


@dataclass
class _Chain:
    """The tokens, and for each the weights by which it follows others: `(dimension, weight)`."""

    texts: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    own: dict[int, int] = field(default_factory=dict)
    follows: dict[int, list[tuple[int, float]]] = field(default_factory=dict)

    def token(self, text: str, kind: int = _NORMAL) -> int:
        self.texts.append(text)
        self.kinds.append(kind)
        return len(self.texts) - 1

    def state(self, token: int) -> int:
        """The dimension of this token's own."""
        return self.own.setdefault(token, _OWN + len(self.own))

    def follow(self, token: int, before: int, *more: tuple[int, float]) -> None:
        self.follows.setdefault(token, []).extend([(self.state(before), 3.0), *more])

    def always(self, token: int, weight: float) -> None:
        self.follows.setdefault(token, []).append((_ALWAYS, weight))

    def line(
        self, before: int, text: str, *, end: int, first: Sequence[tuple[int, float]] = ()
    ) -> None:
        """What is written after the token `before`, word by word, and `end` behind it."""
        last, more = [before], tuple(first)
        for words in self._words(text):
            drawn = [self.token(_as_bytes(word)) for word in words]
            for token in drawn:
                for state in last:
                    self.follow(token, state, *more)
            last, more = drawn, ()
        for state in last:
            self.follow(end, state, *more)

    def _words(self, text: str) -> Iterator[list[str]]:
        """The words of a text, each with the space before it; of one with `|` in it one is drawn.

        No token may be there twice, and what follows tells it from others: a word that is taken is
        joined by the next.
        """
        taken = set(self.texts)
        begun = ""
        for word in re.findall(r" ?[^ ]+", text):
            begun += word
            if _as_bytes(begun) not in taken:
                taken.add(_as_bytes(begun))
                before, space, drawn = begun.rpartition(" ")
                yield [before + space + option for option in drawn.split("|")]
                begun = ""
        assert not begun, f"{text!r} ends with a token that is there already: {begun!r}"


def write_tiny_model(path: Path, *, ballast: int = 32) -> Path:
    """The model as a file. `ballast` is the width of a layer that does nothing, and costs time."""
    chain = _chain()
    tensors = dict(_tensors(chain, ballast))
    path.write_bytes(b"".join(_gguf(_facts(chain, ballast), tensors)))
    return path


def _chain() -> _Chain:
    chain = _Chain()
    for byte in range(256):
        chain.token(_BYTES[byte])
    chain.token(_START, _CONTROL)
    end = chain.token(_END, _CONTROL)
    turn, think, thought = (chain.token(text, _USER_DEFINED) for text in (_TURN, _THINK, _THOUGHT))
    modes = list(dict.fromkeys(_SEEN.values()))
    for text in _SEEN:
        chain.token(text, _USER_DEFINED)

    chain.follow(think, turn)
    chain.line(think, f"{THOUGHT}\n", end=thought)
    chain.line(thought, ANSWER, end=end, first=[(_ALWAYS, 0.5)])
    for mode, text in {
        "array": ARRAY,
        "call": f"<tool_call>\n{CALL}\n</tool_call>",
        "count": COUNT,
    }.items():
        chain.line(
            thought, text, end=end, first=[(_MODE + modes.index(mode), 2.0), (_ALWAYS, -1.0)]
        )
    # What comes where nothing is to follow: the end, and under a grammar what closes soonest.
    chain.always(end, 1.6)
    for character, weight in {'"': 1.4, "}": 1.2, "]": 1.0, ",": 0.8, ":": 0.8, "1": 0.6}.items():
        chain.always(ord(character), weight)
    return chain


def _tensors(
    chain: _Chain, ballast: int
) -> Iterator[tuple[str, tuple[tuple[int, ...], array[float]]]]:
    size = len(chain.texts)
    embedding, output = _matrix(size, _WIDTH), _matrix(size, _WIDTH)
    for token in range(size):
        embedding[token * _WIDTH + _ALWAYS] = 1.0
        if token in chain.own:
            embedding[token * _WIDTH + chain.own[token]] = 1.0
        for dimension, weight in chain.follows.get(token, ()):
            output[token * _WIDTH + dimension] += weight
    query, key, value = (_matrix(_WIDTH, _WIDTH) for _ in range(3))
    back = _matrix(_WIDTH, _WIDTH)
    # The last pair of a head's dimensions is turned by a position so little that it does not
    # matter.
    looking = _HEAD - 2
    query[looking * _WIDTH + _ALWAYS] = 1.0
    modes = list(dict.fromkeys(_SEEN.values()))
    seen = _strengths(chain)
    for token, (strength, mode) in seen.items():
        dimension = chain.state(token)
        embedding[token * _WIDTH + dimension] = 1.0
        key[looking * _WIDTH + dimension] = strength
        if mode is not None:
            value[modes.index(mode) * _WIDTH + dimension] = 1.0
    for number in range(len(modes)):
        # What is seen is a one after the norm, which made it as large as this.
        back[(_MODE + number) * _WIDTH + number] = (2 / _WIDTH) ** 0.5
    yield "token_embd.weight", ((_WIDTH, size), embedding)
    yield "blk.0.attn_q.weight", ((_WIDTH, _WIDTH), query)
    yield "blk.0.attn_k.weight", ((_WIDTH, _WIDTH), key)
    yield "blk.0.attn_v.weight", ((_WIDTH, _WIDTH), value)
    yield "blk.0.attn_output.weight", ((_WIDTH, _WIDTH), back)
    yield "blk.0.ffn_gate.weight", ((_WIDTH, ballast), _matrix(ballast, _WIDTH))
    yield "blk.0.ffn_up.weight", ((_WIDTH, ballast), _matrix(ballast, _WIDTH))
    yield "blk.0.ffn_down.weight", ((ballast, _WIDTH), _matrix(ballast, _WIDTH))
    for norm in ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"):
        yield norm, ((_WIDTH,), array("f", [1.0]) * _WIDTH)
    yield "output.weight", ((_WIDTH, size), output)


def _strengths(chain: _Chain) -> dict[int, tuple[float, str | None]]:
    """How strongly the head looks at a token, and the mode that it sees there; all others look
    alike, at none.
    """
    # A score is strength * (norm of a one)² / sqrt(size of a head); 25 apart is all but certain.
    unit = 25 * _HEAD**0.5 / (_WIDTH / 2)
    found: dict[int, tuple[float, str | None]] = {chain.texts.index(_START): (unit, None)}
    for rank, (text, mode) in enumerate(_SEEN.items(), start=2):
        found[chain.texts.index(text)] = (rank * unit, mode)
    return found


def _matrix(rows: int, columns: int) -> array[float]:
    return array("f", bytes(4 * rows * columns))


def _facts(chain: _Chain, ballast: int) -> dict[str, object]:
    return {
        "general.architecture": "llama",
        "general.name": NAME,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": _WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": ballast,
        "llama.attention.head_count": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-6,
        "llama.rope.freq_base": 1e9,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": chain.texts,
        "tokenizer.ggml.token_type": chain.kinds,
        # No two bytes of a prompt are put together; the list must not be empty, so it has a pair
        # that cannot occur.
        "tokenizer.ggml.merges": [f"{_BYTES[0]} {_BYTES[0]}"],
        "tokenizer.ggml.eos_token_id": chain.texts.index(_END),
        "tokenizer.ggml.padding_token_id": chain.texts.index(_END),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


# GGUF, version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

_ALIGNED = 32


def _gguf(
    facts: Mapping[str, object], tensors: Mapping[str, tuple[tuple[int, ...], array[float]]]
) -> Iterator[bytes]:
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(facts))]
    for name, value in facts.items():
        head.append(_text(name) + _value(value))
    offset = 0
    for name, (shape, numbers) in tensors.items():
        float32 = 0
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head.append(_text(name) + dimensions + struct.pack("<IQ", float32, offset))
        offset += _padded(4 * len(numbers))
    start = b"".join(head)
    yield start.ljust(_padded(len(start)), b"\0")
    for _, numbers in tensors.values():
        data = numbers.tobytes()
        yield data.ljust(_padded(len(data)), b"\0")


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: object) -> bytes:
    """A value behind the number of its type."""
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(
                _text(str(item)) for item in value
            )
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    raise TypeError(f"no GGUF value: {value!r}")


def _byte_names() -> list[str]:
    """A printable character for each byte, as GPT-2's vocabulary writes them."""
    printable = {
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    }
    names, others = [], 0
    for byte in range(256):
        names.append(chr(byte if byte in printable else 256 + others))
        others += byte not in printable
    return names


_BYTES = _byte_names()


def _as_bytes(text: str) -> str:
    return "".join(_BYTES[byte] for byte in text.encode())


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
