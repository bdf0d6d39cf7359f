"""Sentences into paragraphs: a writer that draws its words by the content of the request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.testing.deepseek.draws import Draws
from harness.testing.deepseek.phrases import CHINESE, ENGLISH, Phrases
from harness.testing.deepseek.prompt_cues import Synthesize
from harness.testing.deepseek.subject import Language, subject_of
from harness.testing.deepseek.tokens import BYTES_PER_TOKEN, encoded

PHRASES: dict[Language, Phrases] = {"en": ENGLISH, "zh": CHINESE}


class Writer:
    """Writes about one subject in one language. Every draw advances the same sequence."""

    def __init__(self, draws: Draws, subject: str, language: Language) -> None:
        self._draws = draws
        self._phrases = PHRASES[language]
        self.subject = subject

    def questions(self, least: int, most: int) -> list[str]:
        """Different sub-questions, as many as asked for where the patterns suffice."""
        count = self._draws.between(least, most)
        return [self._fill(pattern) for pattern in self._draws.some(self._phrases.questions, count)]

    def thoughts(self, tokens: int) -> str:
        """A train of thought of about so many tokens."""
        sentences: list[str] = []
        left = tokens * BYTES_PER_TOKEN
        while left > 0:
            for pattern in self._draws.some(self._phrases.thoughts, 8):
                sentences.append(self._fill(pattern))
                left -= len(encoded(sentences[-1]))
                if left <= 0:
                    break
        return self._phrases.gap.join(sentences)

    def answer(self) -> str:
        """Two to four paragraphs: facts, then figures, what is disputed, what is not known."""
        phrases, draws = self._phrases, self._draws
        roles = list(phrases.paragraphs)[: draws.between(2, 4)]
        sentences = {2: 5, 3: 4}.get(len(roles), 3)  # the fewer the paragraphs, the longer each
        paragraphs = []
        for role in roles:
            paragraphs.append(self._paragraph(draws.some(phrases.paragraphs[role], sentences)))
        return "\n\n".join(paragraphs)

    def general(self) -> str:
        """A few sentences on anything."""
        return self._paragraph(self._phrases.general[: self._draws.between(3, 5)])

    def after_tool(self, result: str) -> str:
        return self._phrases.after_tool.format(result=result.strip()[:300])

    def report(self, task: Synthesize) -> str:
        """Return Markdown: an introduction, a section for each note, the gaps, a conclusion.

        Each section cites the number of its note.
        """
        phrases = self._phrases
        parts = [
            phrases.report_title.format(s=self.subject),
            phrases.introduction,
            self._paragraph(phrases.opening),
        ]
        for note in task.notes:
            parts.append(f"## {note.title}")
            claims = []
            if note.gist:
                claims.append(note.gist.rstrip(".。!！?？"))
            claims += [self._fill(claim) for claim in self._draws.some(phrases.section, 3)]
            parts.append(
                phrases.gap.join(f"{claim} [{note.number}]{phrases.stop}" for claim in claims)
            )
        closing = self._paragraph(phrases.closing)
        if task.notes:
            closing += " " + "".join(f"[{note.number}]" for note in task.notes)
        parts += [phrases.conclusion, closing]
        parts += [phrases.gap_note.format(n=number) for number in task.missing]
        return "\n\n".join(parts) + "\n"

    def _paragraph(self, patterns: Sequence[str]) -> str:
        return self._phrases.gap.join(self._fill(pattern) for pattern in patterns)

    def _fill(self, pattern: str) -> str:
        draws, phrases = self._draws, self._phrases
        factor, other = draws.some(phrases.factors, 2)
        year = draws.between(2004, 2016)
        return pattern.format(
            s=self.subject,
            f=factor,
            g=other,
            a=draws.one(phrases.actors),
            year=year,
            year2=year + draws.between(3, 9),
            pct=draws.between(4, 64),
            n=draws.between(6, 90),
        )


def subject_of_question(question: str, language: Language) -> str:
    """Return the subject of a question: for one of ours, exactly what it was built from."""
    for pattern in _QUESTION_PATTERNS[language]:
        if match := pattern.fullmatch(question.strip()):
            return match[1]
    return subject_of(question)


_QUESTION_PATTERNS: dict[Language, list[re.Pattern[str]]] = {
    language: [
        re.compile(re.escape(question).replace(r"\{s\}", "(.{2,120})"))
        for question in phrases.questions
    ]
    for language, phrases in PHRASES.items()
}
