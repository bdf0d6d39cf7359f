"""What happens to a call and to a batch, over ports only."""
