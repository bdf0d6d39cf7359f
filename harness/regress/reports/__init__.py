"""A verdict as text, Markdown, JSON, GitHub annotations and JUnit."""
