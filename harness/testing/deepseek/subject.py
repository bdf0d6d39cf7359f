"""The subject of a text, in a few words: the phrase that the mock's answers are built around."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh"]

_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_MAX_WORDS = 9
_QUESTION_WORDS = 4
_MAX_CHARACTERS_ZH = 24

_CLAUSE_END_EN = re.compile(r"[.?!;:\n(]|,\s| such as | including | so that | e\.g\.")
_CLAUSE_END_ZH = re.compile(r"[，。？！；：,?!;:\n（(]")

# What people write before they name their subject.
_LEAD_EN = re.compile(
    r"""^(?:please|kindly|can\ you|could\ you|i\ would\ like|i\ need\ to|i\ need|i\ want\ to|i\ want|for\ me
        |research\ topic|topic|acting\ as\ [^,]*,|as\ an?\ [^,]*,|from\ \d+\ to\ \d+,|in\ \w+,
        |compare|assess|evaluate|outline
        |research\ and\ analyze|conduct|prepare|write|draft|create|provide|give\ me|do|find|trace|list
        |summari[sz]e|analy[sz]e|explain|describe|discuss|investigate|examine|explore|exploring|researching|research
        |an?\ (?:\w+\ )?(?:\w+\ )?(?:report|paper|study|analysis|review|overview|essay|summary)\ (?:on|of|about|to|into)
        |(?:detailed|comprehensive|in-depth)\ (?:analysis|explanation|research|study\ notes)\ (?:on|of|for)
        |what\ (?:is|are|was|were|will|would|do|does)
        |how\ (?:do|does|did|can|could|to)|why\ (?:do|does|did|is|are)|which|is\ there|are
        |how\ many|data\ and\ evidence\ to|and|recent|on|of|about|that|me)\b[\s:]*""",
    re.IGNORECASE | re.VERBOSE,
)
_LEAD_ZH = re.compile(
    r"^(?:请问|请你|请为我|请帮我|请|帮我|为我|能否|你能否|给我|提供一份|提供|一份|详尽的报告|详细的"
    r"|收集整理|整理|整合|收集"
    r"|研究下|研究一下|特别研究|调研问题|调研一下|调研|分析一下|分析|总结|学习一下|探讨"
    r"|目前|当前|现在|如今|近几年|最新"
    r"|有关|关于|针对|如何|怎样|为什么|什么是|选题|课题|主题|我们|我想|想|在|下|的|和)[\s:：“”\"]*"
)
_TAIL_EN = {
    "and",
    "or",
    "of",
    "in",
    "on",
    "to",
    "for",
    "with",
    "the",
    "a",
    "an",
    "by",
    "from",
    "as",
    "at",
    "that",
    "is",
}
_TAIL_ZH = re.compile(
    r"(?:的相关资料|的相关研究|的相关工作|的情况|的资料|的研究|的|和|与|及|以及|在|对)+$"
)
# Clauses that set a scene before the subject comes.
_SCENE_EN = re.compile(
    r"(?:in|as|acting|from|while|although|when|if|regarding|for an?)\b", re.IGNORECASE
)
_SCENE_ZH = re.compile(r"我(?:今年|是|们)|.*(?:中|下|年|至今|范围内|领域|热门|调研问题|选题)$")
# A question that can be taken apart: what follows names a thing.
_NAMES_A_THING_EN = re.compile(
    r"what\ (?:is|are|was|were)\s+(?!known\b|it\b|there\b)", re.IGNORECASE
)
_QUESTION_EN = re.compile(r"([^.?!;:\n(]+)\?")
_QUESTION_ZH = re.compile(r"([^。？！；：?!;:\n（(]+)[？?]")
_QUOTES = "\"'“”‘’《》「」*#-–•>() \t"


def language_of(text: str) -> Language:
    """Chinese where a tenth of the characters is Chinese: names and figures are often Latin."""
    if len(_CJK.findall(text, 0, 2000)) * 10 >= min(len(text), 2000) > 0:
        return "zh"
    return "en"


def subject_of(text: str) -> str:
    """A short phrase naming what the text is about: at most nine words, or 24 Chinese characters.

    Never empty. It can stand where a noun can: a question with a verb of its own is quoted, for cut
    out of it it would be none.
    """
    text = text.strip().lstrip(_QUOTES)[:600]
    if language_of(text) == "zh":
        subject = _subject_zh(text)
    else:
        subject = _subject_en(text)
    return subject or text[:40].strip() or "the topic"


def _subject_en(text: str) -> str:
    if (asked := _QUESTION_EN.match(text)) and not _NAMES_A_THING_EN.match(text):
        words = asked[1].split()
        if len(words) >= _QUESTION_WORDS:
            cut = " ".join(words[:_MAX_WORDS]).rstrip(",")
            return f"the question “{cut}{'…' if len(words) > _MAX_WORDS else '?'}”"
    best = ""
    for clause in _CLAUSE_END_EN.split(text):
        if _SCENE_EN.match(clause.strip()):
            continue
        words = _without_lead(clause.strip(_QUOTES), _LEAD_EN).split()[:_MAX_WORDS]
        while words and words[-1].lower().strip(",") in _TAIL_EN:
            words.pop()
        candidate = " ".join(words).strip(_QUOTES + ",")
        if len(words) >= 2:
            return candidate
        best = best or candidate
    return best


def _subject_zh(text: str) -> str:
    if asked := _QUESTION_ZH.match(_without_lead(text, _LEAD_ZH)):
        cut = asked[1][:_MAX_CHARACTERS_ZH]
        return f"“{cut}{'…' if len(asked[1]) > _MAX_CHARACTERS_ZH else '？'}”这一问题"
    best = ""
    for clause in _CLAUSE_END_ZH.split(text):
        if _SCENE_ZH.match(clause.strip()):
            continue
        candidate = _without_lead(clause.strip(_QUOTES), _LEAD_ZH)[:_MAX_CHARACTERS_ZH]
        candidate = _TAIL_ZH.sub("", candidate).strip(_QUOTES)
        if len(candidate) >= 4:
            return candidate
        best = best or candidate
    return best


def _without_lead(clause: str, lead: re.Pattern[str]) -> str:
    while match := lead.match(clause):
        clause = clause[match.end() :]
    return clause
