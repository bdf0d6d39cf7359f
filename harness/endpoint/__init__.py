"""An OpenAI-compatible endpoint over HTTP, its streams, and its failures."""
