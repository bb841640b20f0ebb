"""What the readings mean for the household: pure rules, which know neither Home Assistant nor an event loop."""
