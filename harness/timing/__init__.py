"""What time tells of a run: bounds, losses, who waited for whom, how it scales, when it ends."""
