"""The B-route ID and password as people type them, and as the module wants them."""

from dataclasses import dataclass, field
import re
from typing import Self
import unicodedata

from .exceptions import MalformedIdError, MalformedPasswordError

ID_LENGTH = 32
PASSWORD_LENGTH = 12
PAIRING_ID_LENGTH = 8

_NOT_TYPED_ON_PURPOSE = re.compile(r"[\s\-\u2010-\u2015\u2212\u30fc]+")
"""Spaces and the many forms of hyphen by which letters group the characters (the last is what a Japanese keyboard
gives for one)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a household gets from its utility to read its meter.

    Neither is ever shown: the representation of this object is empty.
    """

    route_b_id: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def parse(cls, route_b_id: str, password: str) -> Self:
        """Mend what was typed, and check it.

        Spaces, hyphens, lower case and full-width characters are mended.

        Raises:
            MalformedIdError: the ID is not 32 letters and digits.
            MalformedPasswordError: the password is not 12 letters and digits.
        """
        return cls(parse_id(route_b_id), parse_password(password))

    @property
    def pairing_id(self) -> str:
        """The last 8 characters of the ID: only the meter that knows them answers a scan (protocol 5.1)."""
        return self.route_b_id[-PAIRING_ID_LENGTH:]


def parse_id(text: str) -> str:
    """Return the 32 characters of a B-route ID as typed; raise `MalformedIdError`."""
    mended = _mend(text)
    if len(mended) != ID_LENGTH or not _is_plain(mended):
        raise MalformedIdError(
            f"The B-route ID has {ID_LENGTH} letters and digits; {len(mended)} characters were given"
        )
    return mended


def parse_password(text: str) -> str:
    """Return the 12 characters of a B-route password as typed; raise `MalformedPasswordError`."""
    mended = _mend(text)
    if len(mended) != PASSWORD_LENGTH or not _is_plain(mended):
        raise MalformedPasswordError(
            f"The password has {PASSWORD_LENGTH} letters and digits; {len(mended)} characters were given"
        )
    return mended


def _mend(text: str) -> str:
    return _NOT_TYPED_ON_PURPOSE.sub("", unicodedata.normalize("NFKC", text)).upper()


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isalnum()
