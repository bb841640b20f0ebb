"""The rules of the log, and what is known of the past, without Home Assistant and without a meter."""
