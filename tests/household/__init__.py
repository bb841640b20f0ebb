"""The rules of the household, in plain values: without Home Assistant and without a meter."""
