"""Captures as bytes on the wire.

What an author masked is replaced by something of the same form; where the masked parts belong together (a MAC and the
address that is derived from it) so do the replacements.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.captures import Step, read

OWN_ADDRESS = "FE80:0000:0000:0000:021D:1290:ABCD:EF01"
METER_ADDRESS = "FE80:0000:0000:0000:021D:1290:1234:5678"
METER_MAC = "001D129012345678"

CRLF = b"\r\n"
MAKER_COMMANDS = frozenset({"ROPT", "WOPT", "RUART", "WUART"})
"""They end with a lone CR."""


def capture(number: int) -> tuple[Step, ...]:
    """Read a capture, with what its author masked filled in."""
    match number:
        case 1:
            # All that the article says of the request: Get of E7; its answer has TID 5253.
            request = "1081525305FF010288016201E700"
            # The author masked the MAC and left the address that is derived from it.
            mac, mask = "C0F945004058B5FB", "0011223344556677"
            return read(
                1,
                {
                    "<14 bytes 10 81 .. 62 01 E7 00>": f"<{request}>",
                    f"Addr:{mask}": f"Addr:{mac}",
                    f"SKLL64 {mask}": f"SKLL64 {mac}",
                    f" 02CC {mask} ": f" 02CC {mac} ",
                    f" 0E1A {mask} ": f" 0E1A {mac} ",
                },
            )
        case 4:
            return read(4, {"<omitted>": "0123456789AB", "<MeterAddr>": "8CDF9DFFFEC1323B"})
        case 5:
            # The last line is a layout without values.
            return read(5)[:-1]
        case 10:
            return read(10, {"XXXX:XXXX:XXXX:XXXX": "021D:1290:1234:5678"})
        case 14:
            return tuple(_unmask_14(read(14)))
        case _:
            return read(number)


def from_host(steps: Iterable[Step]) -> list[Step]:
    """Keep what the host wrote."""
    return [step for step in steps if step.side == "host"]


def command_bytes(step: Step) -> bytes:
    """Return what the host wrote, as it went over the wire."""
    line = step.text.encode("ascii")
    if step.data is not None:
        return line + step.data
    return line + (b"\r" if step.text.split(" ")[0] in MAKER_COMMANDS else CRLF)


def module_lines(
    steps: Iterable[Step], end: bytes = CRLF, *, echo: bool = False, binary: bool = False
) -> Iterator[bytes]:
    """Yield the lines that the module wrote, each with its end.

    `echo` adds the echo of each command of the host; `binary` writes payloads as a module does whose ROPT is 00.
    """
    for step in steps:
        if step.side == "host":
            if echo and step.text:
                yield step.text.encode("ascii") + end
        elif step.data is not None:
            header = f"ERXUDP {METER_ADDRESS} {OWN_ADDRESS} 0E1A 0E1A {METER_MAC} 1 0 {len(step.data):04X} "
            yield header.encode("ascii") + (step.data if binary else step.data.hex().upper().encode("ascii")) + end
        elif binary and step.text.startswith("ERXUDP"):
            line, payload = step.text.rsplit(" ", 1)
            yield line.encode("ascii") + b" " + bytes.fromhex(payload) + end
        else:
            yield step.text.encode("ascii") + (b"\r" if step.lone_cr else end)


def _unmask_14(steps: Iterable[Step]) -> Iterator[Step]:
    """Give each masked address its role back, and each SKSENDTO the request that its answer answers."""
    zeros = "0000:0000:0000:0000:0000:0000:0000:0000"
    pending = list(steps)
    for position, step in enumerate(pending):
        text = step.text
        match text.split(" ")[0]:
            case "EVENT" if text.startswith(("EVENT 20", "EVENT 22")):
                text = text.replace(zeros, OWN_ADDRESS)
            case "ERXUDP":
                text = text.replace(zeros, METER_ADDRESS, 1).replace(zeros, OWN_ADDRESS)
                text = text.replace(" " + "0" * 16 + " ", f" {METER_MAC} ")
            case "SKSENDTO":
                answers = (later.text for later in pending[position:] if later.text.startswith("ERXUDP"))
                epc = bytes.fromhex(next(answers).split(" ")[-1])[12]
                step = replace(step, data=bytes.fromhex("1081000105FF010288016201") + bytes((epc, 0)))  # noqa: PLW2901
                text = text.replace(zeros, METER_ADDRESS)
            case _:
                text = text.replace(zeros, METER_ADDRESS)
                text = text.replace("Addr:" + "0" * 16, f"Addr:{METER_MAC}").replace("Pan ID:0000", "Pan ID:8888")
                text = text.replace("SKLL64 " + "0" * 16, f"SKLL64 {METER_MAC}").replace("S3 0000", "S3 8888")
        yield replace(step, text=text)
