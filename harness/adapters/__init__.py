"""The world behind each port, one library each."""
