"""The meter's own log as statistics: every half hour that the meter keeps becomes part of an hour of two series.

`planner` holds the rules and knows neither Home Assistant nor the meter, `ledger` what must not be forgotten of the
past; `series` reads and writes the rows, `reader` asks the meter, `importer` brings the rows up to date, `clock`
watches the meter's clock, and `keeper` says when.
"""
