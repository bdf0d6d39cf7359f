"""A run on the disk: its rows, written, read again, and as a trace."""
