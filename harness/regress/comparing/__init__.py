"""Two runs side by side, from their rows to what is shown of them."""
