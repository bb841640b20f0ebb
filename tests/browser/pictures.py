"""The pictures of the documents, all of which this test makes; ``script/screenshots`` puts them there.

One of a name is in English, and has a sister in Japanese where it is one of `IN_JAPANESE`.
"""

from collections.abc import Iterator
from typing import Final

PICTURES: Final = {
    "add": "the form in which port, ID and password of a meter are entered",
    "automation": "the form in which an automation is made from a blueprint",
    "device": "the meter's page, with its entities",
    "device-phone": "the same on a phone",
    "energy": "the Energy dashboard with the last 30 days of the meter's log",
    "energy-phone": "the same on a phone",
    "history": "a graph of power and currents",
    "options": "the options, with the section of the contract open",
    "refused": "what is told when the meter refuses the password",
    "repair": "what is told when the meter reports a fault",
    "searching": "the progress while the meter is searched for",
}
"""What each picture shows, by its name."""

IN_JAPANESE: Final = PICTURES.keys() - {"refused", "searching"}

LIMIT_BYTES: Final = 200_000
"""No picture is larger."""


def file_name(name: str, language: str) -> str:
    """Return the name of the file of a picture in a language."""
    return f"{name}.png" if language == "en" else f"{name}.{language}.png"


def file_names() -> Iterator[str]:
    """Go through the files of all pictures."""
    for name in PICTURES:
        yield file_name(name, "en")
        if name in IN_JAPANESE:
            yield file_name(name, "ja")
