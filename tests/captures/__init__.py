r"""Captures of real modules and meters, and their reader.

Each file is as its author published it, and each has a form of its own: a dialogue (`>` the host, `<` the module) with
or without times, a log with the times in front, a list of labelled lines, a page of layouts. The reader turns all of
them into the same steps. What it leaves out: comments (`#`, `[…]`, `...`) and notes in parentheses, after a line or in
place of one. `\r` at the end of a line is a lone CR on the wire, where all other lines end with CR and LF.

Captures of J11 modules hold binary frames in groups of hexadecimal digits, with a label in front and perhaps a note
behind: `frames()` reads them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
import re
from typing import Literal

FOLDER = Path(__file__).parent

_NOTE = re.compile(r"(?:^\s*|\s{2,})\(.*\)$")
_DIALOGUE = re.compile(r"(?:(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d))? *(?P<side>[<>]) (?P<text>.*)")
_LOG = re.compile(r" +(?P<seconds>\d+\.\d{3}) \[(?P<tag>SEND|RECEIVE|MAIN)\] (?P<text>.*)")
_TIMING = re.compile(r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d\.\d{3}) (?P<text>\S.*)")
_LABELLED = re.compile(r"[0-9A-F]{2} (?P<text>ERXUDP .*)")
_SENT_DATA = re.compile(r"(?P<header>SKSENDTO (?:\S+ ){5,6})<?(?P<data>(?:[0-9A-F]{2})+)>?")
_PAYLOAD = re.compile(r"(?:payload )?(?P<data>1081(?:[0-9A-F]{2})+)")
_FRAME = re.compile(r"(?P<label>\w+) +(?P<side>[<>]|ok) +(?P<groups>[0-9A-F]+(?: [0-9A-F]+)*)(?: {2,}.*)?")
_FIELD = re.compile(r'"(?P<key>[^"]+)":"(?P<value>[^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line that the host wrote, or that the module did.

    `text` is the line without its end. `data` are the bytes behind an SKSENDTO, or the payload of a datagram whose
    ERXUDP the author left out (then `text` is empty). `at` counts from midnight or from the module's start.
    """

    side: Literal["host", "module"]
    text: str
    data: bytes | None = None
    lone_cr: bool = False
    at: timedelta | None = None


def read(number: int, unmask: Mapping[str, str] | None = None) -> tuple[Step, ...]:
    """Read the dialogue of a capture; what its author masked is replaced as `unmask` says."""
    text = _text(number)
    for mask, value in (unmask or {}).items():
        assert mask in text, f"{mask} is not in capture {number}"
        text = text.replace(mask, value)
    return tuple(_steps(text))


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One frame of a capture of a J11 module, and what its author calls it."""

    label: str
    side: Literal["host", "module"]
    data: bytes


def frames(number: int) -> tuple[LabelledFrame, ...]:
    """Read the binary frames of a capture."""
    found = (_FRAME.fullmatch(line) for line in _text(number).splitlines())
    return tuple(
        LabelledFrame(match["label"], "host" if match["side"] == ">" else "module", bytes.fromhex(match["groups"]))
        for match in found
        if match
    )


def notes(number: int) -> tuple[str, ...]:
    """Return the lines of a capture that are neither comments nor part of a dialogue."""
    return tuple(
        line.strip()
        for line in _text(number).splitlines()
        if not line.startswith(("#", "[")) and not _DIALOGUE.fullmatch(line) and not _LOG.fullmatch(line)
    )


def times(number: int) -> tuple[tuple[timedelta, str], ...]:
    """Return what a capture of times says happened, and when."""
    found = (_TIMING.fullmatch(_NOTE.sub("", line)) for line in _text(number).splitlines())
    return tuple((_time_of_day(match), match["text"].strip()) for match in found if match)


def _text(number: int) -> str:
    (path,) = FOLDER.glob(f"{number:02}_*.txt")
    return path.read_text(encoding="utf-8")


def _steps(text: str) -> Iterator[Step]:
    block_is_open = False
    for line in text.splitlines():
        if match := _LOG.fullmatch(line):
            at = timedelta(seconds=float(match["seconds"]))
            written = match["text"] if match["tag"] != "MAIN" else _wire_line(match["text"])
            if written.startswith("  ") and not block_is_open:
                # The log shows the rows as they came, and the head of the block only behind them.
                yield Step(side="module", text="EPANDESC", at=at)
            block_is_open = written.startswith("  ")
            if written:
                is_host = match["tag"] == "SEND" or written.startswith("SKSENDTO")
                yield Step(side="host" if is_host else "module", text=written, at=at)
        elif match := _DIALOGUE.fullmatch(line):
            yield from _dialogue(match)
        elif match := _LABELLED.fullmatch(line):
            yield Step(side="module", text=match["text"])


def _dialogue(match: re.Match[str]) -> Iterator[Step]:
    text = _NOTE.sub("", match["text"])
    at = _time_of_day(match) if match["hour"] else None
    side: Literal["host", "module"] = "host" if match["side"] == ">" else "module"
    if not text:
        return
    if payload := _PAYLOAD.fullmatch(text):
        yield Step(side=side, text="", data=bytes.fromhex(payload["data"]), at=at)
    elif sent := _SENT_DATA.fullmatch(text):
        yield Step(side=side, text=sent["header"], data=bytes.fromhex(sent["data"]), at=at)
    else:
        yield Step(side=side, text=text.removesuffix("\\r"), lone_cr=text.endswith("\\r"), at=at)


def _time_of_day(match: re.Match[str]) -> timedelta:
    return timedelta(hours=int(match["hour"]), minutes=int(match["minute"]), seconds=float(match["second"]))


def _wire_line(rendering: str) -> str:
    """Rebuild the line that a parser's log shows as fields; nothing for its remarks."""
    name = rendering.split(" ", 1)[0]
    fields = {match["key"]: match["value"] for match in _FIELD.finditer(rendering)}
    match name:
        case "SKSENDTO":
            return rendering
        case "EVENT":
            return f"EVENT {fields['NUM']} {fields['SENDER']}"
        case "Connected":
            return "EVENT 25 0000:0000:0000:0000:0000:0000:0000:0000"
        case "ERXUDP":
            keys = ("SENDER", "DEST", "RPORT", "LPORT", "SENDERLLA", "SECURED", "DATALEN", "DATA")
            return " ".join((name, *(fields[key] for key in keys)))
        case _:
            return ""
