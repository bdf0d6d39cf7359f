"""The way of a call and of a batch, over ports only."""
