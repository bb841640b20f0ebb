"""Modules that run SKSTACK-IP, single and dual stack.

From the bottom up: `reader` and `lines` (bytes), `syntax` (arguments), `registers` and `state` (what is remembered),
`commands`, and `module`, which stands between the radio and the serial line.
"""
