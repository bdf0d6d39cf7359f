"""What the machine gives: clocks, threads, open files."""
