"""A draw's name leads back to its topic, whatever the topic is called."""

from hypothesis import example, given
from hypothesis import strategies as st

from harness.domain.run import drawn_id, topic_of_drawn


@given(topic=st.text(min_size=1), sample=st.integers(0, 10_000))
@example(topic="sky#2", sample=1)
@example(topic="#3", sample=2)
def test_a_draw_names_its_topic(topic: str, sample: int) -> None:
    assert topic_of_drawn(drawn_id(topic, sample), sample) == topic
