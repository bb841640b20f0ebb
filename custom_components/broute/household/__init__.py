"""What the readings mean for the household: rules in plain values, and what follows a meter by them."""
