"""Whatever a prompt and the answers in it are: who changed is blamed, and who follows is not."""

from __future__ import annotations

from datetime import UTC, datetime

from fakes import a_request, an_answer
from hypothesis import given
from hypothesis import strategies as st

from harness.diffs.misses import Verdict, explain
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall

# The prompt's words and those of the answers are not the same, so that it is known whose a word is.
PROMPT_WORDS = [*"ABCDEFGH", "Weigh", "Notes:", "\n", "3.", "比较", "1"]
ANSWER_WORDS = [*"klmnopq", "tide", "dam", "\n", "7", "潮汐", "[1]"]
SLOT = "\0"

templates = st.lists(st.sampled_from([*PROMPT_WORDS, SLOT, SLOT]), min_size=1, max_size=20)
answers = st.lists(st.sampled_from(ANSWER_WORDS), min_size=4, max_size=12).map(
    lambda words: f"answer is {' '.join(words)}"
)


def filled(template: list[str], answers: list[str]) -> str:
    left = iter(answers)
    return " ".join(next(left) if word == SLOT else word for word in template)


def verdict(before: tuple[list[str], list[str]], after: tuple[list[str], list[str]]) -> Verdict:
    """Of a prompt and the answers in it, then and now."""
    then = RecordedCall(
        topic_id="t",
        span_id="write",
        key="k",
        request=a_request(filled(*before)),
        completion=an_answer("the report"),
        run_id="r",
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    notes = [
        RecordedCall(
            topic_id="t",
            span_id=f"note.{number}",
            key=cache_key(a_request(str(number))),
            request=a_request(str(number)),
            completion=an_answer(content),
            run_id="r",
            created_at=then.created_at,
        )
        for number, content in enumerate(before[1])
    ]
    found = explain(
        request=a_request(filled(*after)),
        topic_id="t",
        span_id="write",
        recorded=[*notes, then],
        earlier={f"note.{number}": content for number, content in enumerate(after[1])},
    )
    assert found.text()
    return found.verdict


@st.composite
def prompts_and_answers(draw: st.DrawFn) -> tuple[list[str], list[str], list[str]]:
    template = draw(templates)
    slots = template.count(SLOT)
    then, now = (draw(st.lists(answers, min_size=slots, max_size=slots)) for _ in range(2))
    return template, then, now


@given(prompts_and_answers())
def test_other_answers_in_the_same_prompt_are_never_blamed_on_it(
    given: tuple[list[str], list[str], list[str]],
) -> None:
    template, then, now = given
    expected = "recorded" if filled(template, then) == filled(template, now) else "follows"
    assert verdict((template, then), (template, now)) == expected


@given(prompts_and_answers(), st.integers(0, 19), st.sampled_from(["Changed", "改写"]))
def test_a_word_more_in_the_prompt_is_always_blamed_whatever_the_answers(
    given: tuple[list[str], list[str], list[str]], place: int, word: str
) -> None:
    template, then, now = given
    changed = [*template[:place], word, *template[place:]]
    assert verdict((template, then), (changed, now)) == "changed"
    assert verdict((changed, then), (template, now)) in ("changed", "follows")


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=20), max_size=3))
def test_any_two_prompts_are_explained_and_only_equal_ones_are_recorded(
    old: str, new: str, contents: list[str]
) -> None:
    assert (verdict(([old], contents), ([new], contents[::-1])) == "recorded") == (old == new)
