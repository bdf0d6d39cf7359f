"""What can be expected of an output or a call, and whether it holds."""
