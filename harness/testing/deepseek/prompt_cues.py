"""Recognition of a prompt's task by its cues; everything unknown is taken as a general question.

The cues are those of the workflow `research` as it is shipped, kept loose, so that an edited prompt
is still understood and a foreign one gets a plausible answer.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from harness.testing.deepseek.chat_request import ChatRequest, text_of
from harness.testing.deepseek.exact import exact_words

_ARRAY = re.compile(r"json[\s-]*(?:array|list|数组|列表)", re.IGNORECASE)
_QUESTIONS = re.compile(
    r"sub-?\s?(?:questions?|topics?)|research questions|子问题|子课题|小问题", re.IGNORECASE
)
_RANGE = re.compile(r"(\d+)\s*(?:to|-|–|and|至|到|~)\s*(\d+)")
_TOPIC = re.compile(
    r"^[#* \t]{0,8}(?:research["
    r" \t]+)?(?:topic|subject|主题|课题|题目)\b[^\n:：]{0,40}[:：]\**\s*(?=\S)",
    re.I | re.M | re.S,
)
_TO_ANSWER = re.compile(
    r"^[#* \t]{0,8}(?:(?:sub-?)?question[ \t]*\d*[ \t]*to[ \t]+(?:be[ \t]+)?answer(?:ed)?"
    r"|要?回答的(?:子)?问题[ \t]*\d*)[ \t]*[:：]\**\s*(?=\S)",
    re.IGNORECASE | re.M,
)
_ASKED = re.compile(
    r"^[#* \t]{0,8}(?:sub-?question|question|子问题|问题)[ \t]*\d*[ \t]*[:：]\**\s*(?=\S)",
    re.I | re.M,
)
_NOTES = re.compile(r"\b(?:notes?|findings|answers)\b|笔记|资料|研究结果", re.IGNORECASE)
_REPORT = re.compile(r"\b(?:report|synthesi[sz]e|synthesis|cite)\b|报告|综述|引用", re.IGNORECASE)
# How a note may be numbered, in the order of trust: "[1] …", "## 1. …" or "## Sub-question 1: …",
# "1. …".
_NUMBERED = (
    re.compile(r"^[#* \t]{0,8}\[(\d{1,3})\][ \t:.)]*(\S.*)$", re.M),
    re.compile(
        r"^[#*]{1,6}[ \t]*(?:sub-?question|note|question|子问题|笔记)?[ \t]*(\d{1,3})[ \t:.)：、"
        r"]+(\S.*)$",
        re.I | re.M,
    ),
    re.compile(
        r"^(?:sub-?question|note|question|子问题|笔记)[ \t]*(\d{1,3})[ \t:.)：、]+(\S.*)$",
        re.I | re.M,
    ),
    re.compile(r"^(\d{1,3})[.)、][ \t]*(\S.*)$", re.M),
)
_NO_NOTES = re.compile(r"\bno notes?\b|not available|\bfailed\b|没有笔记|无笔记", re.IGNORECASE)
# A judge answers an object with these two fields, about what stands under a heading of its own.
_VERDICT = re.compile(r'"pass"\s*:.{0,200}?"reason"\s*:', re.S)
_TO_JUDGE = re.compile(
    r"^[#* \t]{0,8}(?:text|answer|report)[ \t]+to[ \t]+(?:judge|assess|grade)[ \t]*[:：]",
    re.I | re.M,
)
_SENTENCE = re.compile(r"[^\n.!?。！？]{12,200}[.!?。！？]")


@dataclass(frozen=True, slots=True)
class Decompose:
    """Split a topic into sub-questions."""

    topic: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Research:
    """Answer one sub-question."""

    question: str


class Note(NamedTuple):
    """A numbered note: its title, and its first sentence where it has one."""

    number: int
    title: str
    gist: str


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Write a report from numbered notes. `missing` are the numbers that have none."""

    topic: str
    notes: tuple[Note, ...]
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Say whether a text meets a requirement. `blank`: there is no text."""

    text: str
    blank: bool


@dataclass(frozen=True, slots=True)
class Exact:
    """Say these words and nothing else."""

    words: str


@dataclass(frozen=True, slots=True)
class General:
    """Anything else."""

    text: str


Task: TypeAlias = Decompose | Research | Synthesize | Judge | Exact | General


def read_task(request: ChatRequest) -> Task:
    """Read what the conversation asks for now.

    Earlier user turns count where the last one only asks again.
    """
    turns = [text_of(message) for message in request.messages if message["role"] == "user"]
    last = turns[-1] if turns else ""
    if _VERDICT.search(last):
        return Judge(text=_after(_TOPIC, last) or last, blank=_after(_TO_JUDGE, last) == "")
    if _ARRAY.search(last) and any(_QUESTIONS.search(turn) for turn in turns):
        return _decompose(turns)
    if question := _after(_TO_ANSWER, last):
        return Research(question=question)
    if _REPORT.search(last) and _NOTES.search(last):
        topic = _after(_TOPIC, last)
        notes, missing = _notes(last.removesuffix(topic or ""))
        if notes or missing:
            return Synthesize(topic=topic or last, notes=notes, missing=missing)
    if question := _after(_ASKED, last):
        return Research(question=question)
    words = exact_words(last) or exact_words(request.last_text("system"))
    if words is None:
        return General(text=last)
    return Exact(words=words)


def _decompose(turns: list[str]) -> Decompose:
    bounds = _RANGE.search(turns[-1]) or _RANGE.search(turns[0])
    least, most = (int(bounds[1]), int(bounds[2])) if bounds else (3, 5)
    most = min(max(most, 1), 20)
    return Decompose(topic=_topic_in(turns), least=min(max(least, 1), most), most=most)


def _topic_in(turns: list[str]) -> str:
    """Return the last topic that is announced, else the last paragraph of the first such
    request.
    """
    for turn in reversed(turns):
        topic = _after(_TOPIC, turn)
        if topic:
            return topic
    asking = next(turn for turn in turns if _QUESTIONS.search(turn))
    return asking.strip().rsplit("\n\n", 1)[-1]


def _after(announced: re.Pattern[str], text: str) -> str | None:
    """Return the text behind the last line that announces it."""
    last = deque(announced.finditer(text), maxlen=1)
    return text[last[0].end() :].strip() if last else None


def _notes(text: str) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    """The numbered notes, and the numbers of those that say nothing."""
    for form in _NUMBERED:
        heads = list(form.finditer(text))
        if heads:
            break
    else:
        return (), ()
    notes: dict[int, Note] = {}
    missing: list[int] = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        number = int(head[1])
        body = text[head.end() : following.start() if following else len(text)]
        if number in notes or number in missing:
            continue
        if _NO_NOTES.search(head[2]) or _NO_NOTES.match(body.strip()[:80].lstrip("(（[")):
            missing.append(number)
            continue
        gist = _SENTENCE.search(body)
        notes[number] = Note(number, head[2].strip(" *"), gist[0].strip() if gist else "")
    return tuple(notes.values()), tuple(missing)
