"""The differences between two texts, two requests, or a request and a recording."""
