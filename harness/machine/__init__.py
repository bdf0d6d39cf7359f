"""The machine's own: clocks, threads, open files."""
