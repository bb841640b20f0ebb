"""The lines that an SKSTACK module prints, in the layouts of single and dual stack. Pure."""

from simulator.air import Datagram, Pan
from simulator.faults import Form, Message

from .syntax import ipv6_text

CRLF = b"\r\n"
SIDE = "0"
"""The B-route side of a dual-stack module; HAN is 1."""


def line(text: str, end: bytes = CRLF) -> Message:
    """Return a line with its end."""
    return Message(text.encode("latin-1"), end)


def event(number: int, address: bytes, *, dual: bool, parameter: int | None = None) -> Message:
    """Return `EVENT <NUM> <ADDRESS> [SIDE] [PARAM]`."""
    words = [f"EVENT {number:02X} {ipv6_text(address)}"]
    words += [SIDE] if dual else []
    words += [f"{parameter:02X}"] if parameter is not None else []
    return line(" ".join(words))


def pan_description(pan: Pan, *, dual: bool, pairing_id: str | None) -> list[Message]:
    """Return the lines of an EPANDESC block; PairID is only there when the scan asked for one and the PAN has one."""
    rows = [
        f"Channel:{pan.channel:02X}",
        "Channel Page:09",
        f"Pan ID:{pan.pan_id:04X}",
        f"Addr:{pan.mac.hex().upper()}",
        f"LQI:{pan.lqi:02X}",
    ]
    rows += [f"Side:{SIDE}"] if dual else []
    rows += [f"PairID:{pan.pairing_id}"] if pairing_id is not None and pan.pairing_id else []
    return [line("EPANDESC"), *(line("  " + row) for row in rows)]


def received(datagram: Datagram, *, dual: bool, rssi: bool, hexadecimal: bool, length: int) -> Message:
    """Return an ERXUDP line: SENDER DEST RPORT LPORT SENDERLLA [RSSI] SECURED [SIDE] DATALEN DATA.

    DATALEN is `length`, which a fault may make another than that of the payload.
    """
    words = [
        "ERXUDP",
        ipv6_text(datagram.source),
        ipv6_text(datagram.destination),
        f"{datagram.source_port:04X}",
        f"{datagram.destination_port:04X}",
        datagram.source_mac.hex().upper(),
    ]
    words += [f"{datagram.lqi:02X}"] if dual and rssi else []
    words.append(f"{datagram.secured:d}")
    words += [SIDE] if dual else []
    words.append(f"{length:04X}")
    head = " ".join(words).encode() + b" "
    payload = datagram.payload.hex().upper().encode() if hexadecimal else datagram.payload
    return Message(head + payload, CRLF, len(head), Form.TEXT if hexadecimal else Form.BINARY_PAYLOAD)
