"""docs/endpoints.md is made from the table of known endpoints, and each field of that has its
source.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.domain.known_endpoints import CHECKED, KNOWN, OURS, Known
from harness.settings.endpoints import EndpointTable
from harness.settings.endpoints_page import endpoints_page

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)


def test_the_page_of_endpoints_is_up_to_date() -> None:
    written = (ROOT / "docs" / "endpoints.md").read_text()
    assert written == endpoints_page(), (
        "run: python -m harness.settings.endpoints_page > docs/endpoints.md"
    )


@EACH
def test_each_field_names_a_source_of_its_own_and_each_source_a_page_and_a_day(
    known: Known,
) -> None:
    cited = {source for _, source in known.facts.values()} - {OURS}
    assert cited == set(range(1, len(known.sources) + 1))
    for address, day in known.sources:
        assert urlsplit(address).scheme == "https"
        assert day <= CHECKED


@EACH
def test_only_the_name_of_a_variable_is_ours(known: Known) -> None:
    assert [
        name
        for name, (_, source) in known.facts.items()
        if source == OURS and name != "api_key_env"
    ] == []
    assert set(known.facts) <= set(EndpointTable.model_fields)
    EndpointTable.model_validate({name: value for name, (value, _) in known.facts.items()})
