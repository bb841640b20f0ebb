"""The result codes of J11 (protocol 4.4) that a module on the B-route can give."""

from enum import IntEnum


class ResultCode(IntEnum):
    """The first data byte of every response."""

    OK = 0x01
    UNKNOWN_DEVICE = 0x02
    UNKNOWN_COMMAND = 0x03
    BAD_PARAMETER = 0x04
    BAD_DESTINATION = 0x06
    PORT_OPEN = 0x0A
    PORT_NOT_OPEN = 0x0B
    NOT_CONNECTED = 0x0E
    NOT_STARTED = 0x10
    PARAMETER_LENGTH = 0x11
    TOO_MANY_PORTS = 0x12
    DATA_TIMEOUT = 0x13
    WRONG_MODE = 0x14
    STARTED = 0x34
    AUTHENTICATED = 0x35
    NOT_AUTHENTICATED = 0x37
    PING_BUSY = 0x3C
    COMMAND_BUSY = 0x3D
    NO_CREDENTIALS = 0x51
    AUTHENTICATING = 0x52
    CREDENTIALS_SET = 0x58
    HEADER_CHECKSUM = 0xF0
    DATA_CHECKSUM = 0xF1
    TOO_SHORT = 0xF2
    TOO_LONG = 0xF3


class RefusedError(Exception):
    """The command is refused.

    Attributes:
        result: what the response says.
    """

    def __init__(self, result: ResultCode) -> None:
        super().__init__(f"{result:02X}")
        self.result = result
