"""Topics in: a file of any size, checked as a whole, read one topic at a time."""
