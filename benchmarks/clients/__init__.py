"""The libraries that are compared, each in a process of its own that measures itself and prints what it found."""
