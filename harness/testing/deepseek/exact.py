"""The words that a prompt wants back and nothing else: "Reply with exactly the word ready"."""

from __future__ import annotations

import re

# What begins a sentence that asks for words. "Then" and "please" may stand before it.
_ASKS = re.compile(
    r"(?:^|[.!?:;,\n]\s*|\band\s+)(?:then\s+)?(?:please\s+|kindly\s+|just\s+|only\s+|simply\s+)*"
    r"(?P<verb>reply|answer|respond|say|output|return|print|write|repeat)\b(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_ASKS_ZH = re.compile(r"(?:请)?(?:只|仅|原样)?(?:回答|回复|输出|说|重复)(?P<rest>[^\n]*)")
# What may stand between the verb and the words. Some of it says that nothing else is wanted.
_BETWEEN = re.compile(
    r"\s*(?:(?:with|by|back|me|after me|only|just|exactly|precisely|simply|literally|nothing"
    r" but|verbatim"
    r"|(?:exactly |just )?(?:this|the"
    r" following)|(?:the|this|these|one)?\s*(?:single|exact|one|literal|following)*"
    r"\s*(?:words?|text|string|phrase|token|line|sentence|characters?|number))\b[ \t]*)*",
    re.IGNORECASE,
)
_BETWEEN_ZH = re.compile(r"\s*(?:只|仅|一个|这个|以下|词|字|文字|内容|这句话)*")
_ONLY = re.compile(
    r"\b(?:only|just|exactly|precisely|simply|literally|nothing but|nothing"
    r" else|verbatim|single|exact|after me)\b"
    r"|只|仅|原样|不要.{0,4}其他",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:words?|text|string|phrase|token|number)\s*$|[词字]\s*$", re.IGNORECASE)
_QUOTED = re.compile(
    r"\"([^\"]+)\"|'([^']+)'|`([^`]+)`|“([^”]+)”|‘([^’]+)’|「([^」]+)」|\*\*([^*]+)\*\*"
)
_WORD = re.compile(r"[^\s.,;:!?。，！？]+(?:[.,:][^\s.,;:!?。，！？]+)*")
_WORDS = re.compile(rf"{_WORD.pattern}(?: {_WORD.pattern})*?(?=\s*(?:$|[.!]|[,;]|\band nothing\b))")
# What may follow the words: the end of the sentence, or once more that nothing else is wanted.
_AFTER = re.compile(
    r"\s*(?:$|[.!。！]|(?:[,;，]|\band\b)\s*(?:and\s+)?(?:nothing|no\b|do"
    r" not|don't|without|不要|别))",
    re.IGNORECASE,
)
# Words that point at an answer instead of being it, as in "only the word that fits" …
_POINTS = re.compile(
    r"an?|the|your|my|his|her|its|our|their|that|which|what|in|of|for|as|to|if|when|you|it",
    re.IGNORECASE,
)
# … and those that say of what kind it must be, as in "Reply only with JSON".
_DESCRIBES = re.compile(
    rf"{_POINTS.pattern}|this|these|those|whatever|one|two|three|four|five|six|seven|eight|nine|ten|some|any|each|all"
    r"|plain|valid|json|yaml|xml|html|csv|sql|latex|markdown|code|text|prose|words?|numbers?|names?|bullets"
    r"|english|german|french|spanish|chinese|on|yes/no|true/false|them",
    re.IGNORECASE,
)
_SAID = frozenset(
    ("yes", "no", "ok", "okay", "ready", "hello", "hi", "done", "pong", "ping", "true", "false")
)


def exact_words(prompt: str) -> str | None:
    """The words that are asked for, or None where the prompt asks for something else.

    They are quoted, or stand behind a colon, or are one word of the sentence. The last such
    sentence rules.
    """
    found = None
    for asks, between in ((_ASKS, _BETWEEN), (_ASKS_ZH, _BETWEEN_ZH)):
        for sentence in asks.finditer(prompt):
            found = _words_in(sentence[0], sentence["rest"], between) or found
    return found


def _words_in(sentence: str, rest: str, between: re.Pattern[str]) -> str | None:
    lead = between.match(rest)
    place = lead.end() if lead else 0
    if rest[place : place + 1] in (":", "："):
        return _behind_colon(sentence, rest[place + 1 :].strip())
    if not _ONLY.search(sentence):
        return None
    if quoted := _QUOTED.match(rest, place):
        return next(text for text in quoted.groups() if text)
    named = _NAMED.search(rest, 0, place)
    words = (_WORDS if named and named[0].strip() == "words" else _WORD).match(rest, place)
    if words is None or not _AFTER.match(rest, words.end()):
        return None
    first = words[0].split(" ")[0]
    if named:
        meant = not _POINTS.fullmatch(first)
    else:
        meant = not _DESCRIBES.fullmatch(first) and _stands_alone(sentence, words[0])
    return words[0] if meant else None


def _behind_colon(sentence: str, said: str) -> str | None:
    if not said or not _ONLY.search(sentence):
        return None
    quoted = _QUOTED.fullmatch(said.removesuffix("."))
    if quoted is None:
        return said
    return next(text for text in quoted.groups() if text)


def _stands_alone(sentence: str, word: str) -> bool:
    """Return whether a bare word is meant as it is.

    Behind "exactly" any is, behind "only" one that is no common noun.
    """
    return (
        bool(re.search(r"\bexactly\b|原样", sentence, re.I))
        or word != word.lower()
        or word.lower() in _SAID
    )
