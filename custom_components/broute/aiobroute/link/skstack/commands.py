"""SKSTACK-IP commands: what is asked, as the bytes that the module wants (protocol 3.1-3.6).

Pure. The two dialects differ in one argument, SIDE, of two commands.
"""

from ...credentials import Credentials
from ..base import Dialect
from .codec import CHANNELS

CRLF = b"\r\n"
ALL_CHANNELS = "FFFFFFFF"
SCAN_WITH_PAIRING_ID = "2"
ROUTE_B_SIDE = "0"
UDP_HANDLE = 1
"""The handle of local port 3610."""
ENCRYPTED_ONLY = 1


def command(name: str, *arguments: str) -> bytes:
    """Any command of SKSTACK-IP: its name and arguments, separated by one space each."""
    return " ".join((name, *arguments)).encode("ascii") + CRLF


def maker_command(name: str, *arguments: str) -> bytes:
    """A command of the maker outside SKSTACK-IP (ROPT and its kin): it ends with a lone CR, and so does its answer."""
    return " ".join((name, *arguments)).encode("ascii") + b"\r"


ECHO_OFF = command("SKSREG", "SFE", "0")
STACK_VERSION = command("SKVER")
APPLICATION_VERSION = command("SKAPPVER")
INFORMATION = command("SKINFO")
RESET = command("SKRESET")
TERMINATE = command("SKTERM")
PAYLOAD_FORM = maker_command("ROPT")


def write_register(name: str, value: str) -> bytes:
    """SKSREG: set a register, for instance `write_register("S2", "21")`."""
    return command("SKSREG", name, value)


def set_password(credentials: Credentials) -> bytes:
    """SKSETPWD: the length in hex, then the password."""
    return command("SKSETPWD", f"{len(credentials.password):X}", credentials.password)


def set_route_b_id(credentials: Credentials) -> bytes:
    """SKSETRBID: the module derives the pairing ID from it."""
    return command("SKSETRBID", credentials.route_b_id)


def active_scan(dialect: Dialect, duration: int) -> bytes:
    """SKSCAN over all channels, with the pairing ID."""
    side = (ROUTE_B_SIDE,) if dialect is Dialect.DUAL_STACK else ()
    return command("SKSCAN", SCAN_WITH_PAIRING_ID, ALL_CHANNELS, f"{duration:X}", *side)


def scan_time_s(duration: int) -> float:
    """Seconds that a scan of all channels takes: 0.01 s x (2^duration + 1) for each (protocol 3.4)."""
    return 0.01 * ((1 << duration) + 1) * len(CHANNELS)


def join(address: str) -> bytes:
    """SKJOIN: authenticate with the meter at an IPv6 address."""
    return command("SKJOIN", address)


def send_to(dialect: Dialect, address: str, port: int, payload: bytes) -> bytes:
    """SKSENDTO: a datagram, encrypted or not at all.

    The data follow raw, and nothing follows them: a line end would be taken as the next command.
    """
    side = f" {ROUTE_B_SIDE}" if dialect is Dialect.DUAL_STACK else ""
    header = f"SKSENDTO {UDP_HANDLE} {address} {port:04X} {ENCRYPTED_ONLY}{side} {len(payload):04X} "
    return header.encode("ascii") + payload


def link_local_address(mac: bytes) -> str:
    """Derive the IPv6 address from a MAC: FE80:: and the MAC with bit 1 of its first byte inverted (protocol 3.5).

    Written in full and in upper case, the only form that modules take.
    """
    interface = bytes((mac[0] ^ 0x02,)) + mac[1:]
    return "FE80:0000:0000:0000:" + interface.hex(":", 2).upper()
