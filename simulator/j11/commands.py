"""The J11 commands (protocol 4.2): each takes its data and returns what follows the result in its response, or refuses.

Called by `module` with its state, which they read and change. Four last longer: of those there is here how their data
is read, and the rest in `module`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.air import ALL_NODES, Datagram, link_local
from simulator.pana import UDP_PORT as PANA_PORT

from .frames import J11_CHANNELS
from .results import RefusedError, ResultCode
from .state import J11State

RESERVED_PORTS = frozenset((PANA_PORT, 19788, 31941))
MAX_PORTS = 10
MAX_PAYLOAD = 1232
ADDRESS_LENGTH = 16
TRANSMIT_HEADER = 22
"""Destination, ports and size."""
SCAN_HEADER = 6
"""Duration, mask and ID flag."""
MAX_DURATION = 14
PAIRING_ID_LENGTH = 8
ID_LENGTH = 32
PASSWORD_LENGTH = 12
CREDENTIAL_CHARACTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
ALL_CHANNELS = sum(1 << channel for channel in J11_CHANNELS)
MODES = frozenset((0x01, 0x02, 0x03, 0x05))
LINK_LOCAL = link_local(bytes(8))[:8]
"""The prefix of every address of the link."""
HAN_STOPPED = 0x01


@dataclass(frozen=True, slots=True)
class ScanCommand:
    """What 0051 asks for: J11 channels in order, the duration, and the pairing ID, `None` for everybody."""

    channels: tuple[int, ...]
    duration: int
    pairing_id: str | None


def scan_command(state: J11State, data: bytes) -> ScanCommand:
    """Read 0051: duration 1, channel mask 4, ID flag 1, and with flag 01 the pairing ID 8."""
    if len(data) < SCAN_HEADER or len(data) != (SCAN_HEADER + PAIRING_ID_LENGTH if data[5] == 1 else SCAN_HEADER):
        raise RefusedError(ResultCode.PARAMETER_LENGTH)
    duration, mask, flag = data[0], int.from_bytes(data[1:5]), data[5]
    _check(1 <= duration <= MAX_DURATION and flag <= 1 and mask & ALL_CHANNELS == mask != 0)
    if state.mode is None:
        raise RefusedError(ResultCode.WRONG_MODE)
    state.need_stopped()
    channels = tuple(channel for channel in J11_CHANNELS if mask >> channel & 1)
    return ScanCommand(channels, duration, data[SCAN_HEADER:].decode("latin-1") if flag else None)


def start_command(state: J11State, data: bytes) -> str:
    """Read 0053, which has no data, and return the pairing ID to look for: the end of the B-route ID."""
    if data:
        raise RefusedError(ResultCode.PARAMETER_LENGTH)
    state.need_dual()
    state.need_stopped()
    if state.radio.identity is None:
        raise RefusedError(ResultCode.NO_CREDENTIALS)
    return state.radio.identity[-PAIRING_ID_LENGTH:]


def ping_command(state: J11State, data: bytes) -> bytes:
    """Read 00D1: destination 16 (the manual at hand does not say; it is all that a ping needs)."""
    if len(data) != ADDRESS_LENGTH:
        raise RefusedError(ResultCode.PARAMETER_LENGTH)
    if data != state.running().address:
        raise RefusedError(ResultCode.UNKNOWN_DEVICE)
    return data


def transmit_command(state: J11State, data: bytes) -> Datagram:
    """Read 0008: destination 16, source port 2, destination port 2, size 2, as many bytes.

    It goes encrypted when there is a key, which is while there is a session.
    """
    size = int.from_bytes(data[20:22])
    if len(data) != TRANSMIT_HEADER + size:
        raise RefusedError(ResultCode.PARAMETER_LENGTH)
    destination, source_port, destination_port = data[:16], int.from_bytes(data[16:18]), int.from_bytes(data[18:20])
    _check(1 <= size <= MAX_PAYLOAD and destination_port != 0)
    connection = state.running()
    if destination != ALL_NODES and not destination.startswith(LINK_LOCAL):
        raise RefusedError(ResultCode.BAD_DESTINATION)
    if destination not in (ALL_NODES, connection.address):
        raise RefusedError(ResultCode.UNKNOWN_DEVICE)
    if source_port not in state.udp_ports:
        raise RefusedError(ResultCode.PORT_NOT_OPEN)
    return Datagram(
        source=state.radio.address,
        destination=destination,
        source_port=source_port,
        destination_port=destination_port,
        source_mac=state.radio.mac,
        secured=state.radio.session is not None,
        lqi=0,
        payload=data[TRANSMIT_HEADER:],
    )


def _check(good: bool) -> None:  # noqa: FBT001 - what is checked
    """Refuse a parameter out of range."""
    if not good:
        raise RefusedError(ResultCode.BAD_PARAMETER)


def _status(state: J11State, _data: bytes) -> bytes:
    """0001: settings made or not (03, 02), B-route stopped, running, authenticated (01, 02, 03), HAN stopped."""
    b_route = 1
    if state.connection is not None:
        b_route = 2 if state.radio.session is None else 3
    return bytes((2 if state.mode is None else 3, b_route, HAN_STOPPED))


def _open_port(state: J11State, data: bytes) -> bytes:
    port = int.from_bytes(data)
    _check(port != 0 and port not in RESERVED_PORTS)
    state.running()
    if port in state.udp_ports:
        raise RefusedError(ResultCode.PORT_OPEN)
    if len(state.udp_ports) == MAX_PORTS:
        raise RefusedError(ResultCode.TOO_MANY_PORTS)
    state.udp_ports.add(port)
    return b""


def _close_port(state: J11State, data: bytes) -> bytes:
    port = int.from_bytes(data)
    _check(port != 0 and port not in RESERVED_PORTS)
    if port not in state.udp_ports:
        raise RefusedError(ResultCode.PORT_NOT_OPEN)
    state.udp_ports.remove(port)
    return b""


def _address(state: J11State, _data: bytes) -> bytes:
    return state.radio.address


def _mac(state: J11State, _data: bytes) -> bytes:
    return state.radio.mac


def _set_credentials(state: J11State, data: bytes) -> bytes:
    """0054: lower case counts as upper case."""
    text = data.upper()
    _check(CREDENTIAL_CHARACTERS.issuperset(text))
    state.need_dual()
    state.need_stopped()
    if state.radio.identity is not None:
        raise RefusedError(ResultCode.CREDENTIALS_SET)
    state.radio.identity = text[:ID_LENGTH].decode()
    state.radio.password = text[ID_LENGTH:].decode()
    return b""


def _start_pana(state: J11State, _data: bytes) -> bytes:
    connection = state.running()
    if state.authenticating:
        raise RefusedError(ResultCode.AUTHENTICATING)
    if state.radio.session is not None:
        raise RefusedError(ResultCode.AUTHENTICATED)
    state.pana_requested = True
    state.radio.join(connection.address)
    return b""


def _end_pana(state: J11State, _data: bytes) -> bytes:
    """0057: also gives up what 0056 has begun. How the meter takes it is not told."""
    state.running()
    if state.radio.session is None and not state.authenticating:
        raise RefusedError(ResultCode.NOT_AUTHENTICATED)
    state.pana_over()
    state.radio.terminate()
    state.radio.forget_session()
    return b""


def _end(state: J11State, _data: bytes) -> bytes:
    """0058: ends the session first if there is one, so that a host can leave at any time."""
    state.running()
    state.radio.terminate()
    state.disconnect()
    return b""


def _authenticate_again(state: J11State, _data: bytes) -> bytes:
    """00D2: the outcome is told, other than that of a renewal at the module's own wish."""
    state.running()
    if state.authenticating:
        raise RefusedError(ResultCode.AUTHENTICATING)
    if not state.radio.renew():
        raise RefusedError(ResultCode.NOT_AUTHENTICATED)
    state.pana_requested = True
    return b""


def _pan_id(state: J11State, _data: bytes) -> bytes:
    return state.running().pan_id.to_bytes(2)


def _settings(state: J11State, data: bytes) -> bytes:
    """005F: mode, HAN sleep, channel, transmission power."""
    mode, sleep, channel, power = data
    _check(mode in MODES and sleep <= 1 and channel in J11_CHANNELS and power <= 2)
    state.need_stopped()
    state.tune(mode, channel)
    return b""


def _version(state: J11State, _data: bytes) -> bytes:
    product = state.product
    return product.firmware.to_bytes(2) + bytes(product.version) + product.revision.to_bytes(4)


def _command(run: Callable[[J11State, bytes], bytes], length: int = 0) -> Callable[[J11State, bytes], bytes]:
    """Return a command that refuses data of another length."""

    def measured(state: J11State, data: bytes) -> bytes:
        if len(data) != length:
            raise RefusedError(ResultCode.PARAMETER_LENGTH)
        return run(state, data)

    return measured


COMMANDS: dict[int, Callable[[J11State, bytes], bytes]] = {
    0x0001: _command(_status),
    0x0005: _command(_open_port, 2),
    0x0006: _command(_close_port, 2),
    0x0009: _command(_address),
    0x000E: _command(_mac),
    0x0054: _command(_set_credentials, ID_LENGTH + PASSWORD_LENGTH),
    0x0056: _command(_start_pana),
    0x0057: _command(_end_pana),
    0x0058: _command(_end),
    0x005E: _command(_pan_id),
    0x005F: _command(_settings, 4),
    0x006B: _command(_version),
    0x00D2: _command(_authenticate_again),
}
"""The commands that are answered at once."""
