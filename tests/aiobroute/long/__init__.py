"""The command line at the pace that a meter is asked at."""
