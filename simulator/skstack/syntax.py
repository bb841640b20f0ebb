"""The syntax of SKSTACK arguments: numbers, addresses, and the FAIL codes. Pure."""

from string import hexdigits


class FailError(Exception):
    """The command is refused.

    Attributes:
        code: 4 not supported, 5 number of arguments, 6 format or range, 9 UART input, 10 not executed.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"ER{code:02d}")
        self.code = code


def hex_number(text: str, most_digits: int, low: int, high: int, *, exact: bool = False) -> int:
    """Return a hexadecimal argument; leading zeros may be left out unless `exact`.

    Raises:
        FailError: ER06 for anything else than digits, and out of range.
    """
    if not text or len(text) > most_digits or (exact and len(text) != most_digits):
        raise FailError(6)
    if any(character not in hexdigits for character in text) or not low <= int(text, 16) <= high:
        raise FailError(6)
    return int(text, 16)


def ipv6(text: str) -> bytes:
    """Return an IPv6 address of 16 bytes: only the full form in upper case is taken.

    Raises:
        FailError: ER06.
    """
    groups = text.split(":")
    if len(groups) != 8 or text != text.upper():
        raise FailError(6)
    return b"".join(hex_number(group, 4, 0, 0xFFFF, exact=True).to_bytes(2) for group in groups)


def ipv6_text(address: bytes) -> str:
    """Return an address in the full form."""
    return ":".join(address[index : index + 2].hex().upper() for index in range(0, 16, 2))


def mac_address(text: str) -> bytes:
    """Return a MAC address of eight bytes.

    Raises:
        FailError: ER06.
    """
    return hex_number(text, 16, 0, 2**64 - 1, exact=True).to_bytes(8)
