"""Modules with ROHM's J11 firmware, which speaks in binary frames (protocol 4).

From the bottom up: `frames` and `reader` (bytes), `results` (result codes), `products`, `state` (what is remembered),
`commands`, and `module`, which stands between the radio and the serial line.

The HAN side, the ED scan (00DB) and the rewriting of the firmware (00F0) are not simulated: those commands are
answered as unknown ones.
"""
