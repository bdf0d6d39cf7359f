"""Numbers and texts with their bounds, which the settings and their tables have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Whole = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Many = Annotated[int, Field(strict=True, ge=1, le=10**15)]
Rate = Annotated[float, Field(strict=True, ge=0, le=1e9)]
Name = Annotated[str, Field(min_length=1, max_length=500)]
