"""The SKSTACK-IP commands: each takes its arguments and returns the lines of its answer, or refuses with a FAIL code.

Called by `module` with its state, which they read and change. SIDE is an argument more on dual stack (BP35A1 command
reference; dual stack by captures).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.air import ALL_NODES, CHANNELS, link_local
from simulator.radio import Radio

from .lines import SIDE
from .state import SkstackState
from .syntax import FailError, hex_number, ipv6, ipv6_text, mac_address

OK = "OK"
ID_LENGTH = 32
MAX_PASSWORD_LENGTH = 32
MAX_PAYLOAD = 0x04D0
NO_SHORT_ADDRESS = "FFFE"
"""The last field of EINFO on single stack."""
ALL_CHANNELS = 2 ** len(CHANNELS) - 1

type Answer = list[str]
type Arguments = Sequence[str]


@dataclass(frozen=True, slots=True)
class SendCommand:
    """The header of SKSENDTO."""

    handle: int
    destination: bytes
    port: int
    security: int
    length: int

    def secured(self, radio: Radio) -> bool:
        """Tell whether the datagram goes encrypted; ER10 when it must and there is no key."""
        peer = radio.session.address if radio.session is not None else None
        key = peer is not None and self.destination in (peer, ALL_NODES)
        if self.security == 1 and not key:
            raise FailError(10)
        return key and self.security != 0


def send_command(state: SkstackState, arguments: Arguments) -> SendCommand:
    """Read the header of SKSENDTO: HANDLE IPADDR PORT SEC [SIDE] DATALEN.

    Raises:
        FailError: ER06 for PORT, SEC or DATALEN of another length than 4, 1 and 4, and for anything out of range.
    """
    wanted = SendCommand(
        handle=hex_number(arguments[0], 2, 1, 6),
        destination=ipv6(arguments[1]),
        port=hex_number(arguments[2], 4, 1, 0xFFFF, exact=True),
        security=hex_number(arguments[3], 1, 0, 2),
        length=hex_number(arguments[-1], 4, 1, MAX_PAYLOAD, exact=True),
    )
    if state.product.dual:
        _side(arguments[4])
    if not state.udp_ports[wanted.handle - 1]:
        raise FailError(10)
    return wanted


def _side(text: str) -> None:
    """Take SIDE: only the B-route side is simulated."""
    if text not in ("0", "1"):
        raise FailError(6)
    if text != SIDE:
        raise FailError(10)


def option_command(state: SkstackState, words: Arguments) -> str:
    """Carry out ROPT, WOPT, RUART or WUART and return the answer, which a lone CR ends.

    Raises:
        FailError: ER04 on a product without options, ER06 for a value that does not exist.
    """
    if not state.product.options:
        raise FailError(4)
    match words:
        case ["ROPT"]:
            return f"OK {state.hexadecimal:02X}"
        case ["RUART"]:
            return f"OK {state.product.uart:02X}"
        case ["WOPT", ("00" | "01") as option]:
            state.hexadecimal = option == "01"
        case ["WUART", option] if len(option) == 2:
            hex_number(option, 2, 0, 0xFF)
        case _:
            raise FailError(6)
    state.flash_writes += 1
    return OK


def _without_side(state: SkstackState, arguments: Arguments, *, index: int) -> Arguments:
    """Return the arguments without SIDE, which stands at `index` on dual stack."""
    if not state.product.dual:
        return arguments
    _side(arguments[index])
    rest = list(arguments)
    del rest[index]
    return rest


def _reset(state: SkstackState) -> Answer:
    state.restart()
    return [OK]


def _version(state: SkstackState) -> Answer:
    return [f"EVER {state.product.version}", OK]


def _application_version(state: SkstackState) -> Answer:
    if state.product.application is None:
        raise FailError(4)
    return [f"EAPPVER {state.product.application}", OK]


def _info(state: SkstackState) -> Answer:
    radio = state.radio
    last = SIDE if state.product.dual else NO_SHORT_ADDRESS
    mac = radio.mac.hex().upper()
    return [f"EINFO {ipv6_text(radio.address)} {mac} {radio.channel:02X} {radio.pan_id:04X} {last}", OK]


def _read_register(state: SkstackState, name: str) -> Answer:
    state.registers.values["SFB"] = int(state.radio.duty_limited)
    state.registers.values["SFD"] = state.radio.transmitted_ms
    return [f"ESREG {state.registers.show(name)}", OK]


def _write_register(state: SkstackState, name: str, value: str) -> Answer:
    state.registers.write(name, value)
    if name == "SFD":
        state.radio.transmitted_ms = 0
    state.apply_registers()
    return [OK]


def _set_password(state: SkstackState, length: str, password: str) -> Answer:
    if hex_number(length, 2, 1, MAX_PASSWORD_LENGTH) != len(password):
        raise FailError(6)
    state.radio.password = password
    return [OK]


def _set_identity(state: SkstackState, identity: str) -> Answer:
    if len(identity) != ID_LENGTH:
        raise FailError(6)
    state.radio.identity = identity
    state.registers.pairing_id = identity[-8:]
    state.apply_registers()
    return [OK]


def _scan(state: SkstackState, mode: str, mask: str, duration: str) -> Answer:
    if mode not in ("2", "3"):
        raise FailError(6)
    bits = hex_number(mask, 8, 1, 0xFFFFFFFF) & ALL_CHANNELS
    units = hex_number(duration, 1, 0, 14)
    # A second scan is answered with OK and changes nothing: the first one goes on to its EVENT 22.
    if not state.radio.scanning:
        channels = [channel for index, channel in enumerate(CHANNELS) if bits >> index & 1]
        state.radio.scan(channels, units, state.radio.pairing_id if mode == "2" else None)
    return [OK]


def _link_local(_state: SkstackState, mac: str) -> Answer:
    return [ipv6_text(link_local(mac_address(mac)))]


def _add_neighbour(state: SkstackState, address: str, mac: str) -> Answer:
    mac_address(mac)
    state.radio.neighbours.add(ipv6(address))
    return [OK]


def _join(state: SkstackState, address: str) -> Answer:
    coordinator = ipv6(address)
    if state.radio.scanning or state.radio.identity is None or state.radio.password is None:
        raise FailError(10)
    state.radio.join(coordinator)
    return [OK]


def _rejoin(state: SkstackState) -> Answer:
    if not state.radio.renew():
        raise FailError(10)
    return [OK]


def _terminate(state: SkstackState) -> Answer:
    if not state.radio.terminate():
        raise FailError(10)
    return [OK]


def _ping(state: SkstackState, address: str) -> Answer:
    state.radio.ping(ipv6(address))
    return [OK]


def _udp_port(state: SkstackState, handle: str, port: str) -> Answer:
    state.udp_ports[hex_number(handle, 2, 1, 6) - 1] = hex_number(port, 4, 0, 0xFFFF)
    return [OK]


def _table(state: SkstackState, mode: str) -> Answer:
    radio = state.radio
    match mode.upper():
        case "1":
            return ["EADDR", ipv6_text(radio.address), OK]
        case "2":
            rows = (f"{ipv6_text(ip)} {link_local(ip[8:])[8:].hex().upper()} FFFF" for ip in sorted(radio.neighbours))
            return ["ENEIGHBOR", *rows, OK]
        case "E":
            return ["EPORT", *(str(port) for port in state.udp_ports), "", "3610", "0", "0", "0", OK]
        case _:
            raise FailError(6)


def _save(state: SkstackState) -> Answer:
    state.registers.save()
    state.flash_writes += 1
    return [OK]


def _load(state: SkstackState) -> Answer:
    state.registers.load()
    state.apply_registers()
    return [OK]


def _erase(state: SkstackState) -> Answer:
    state.registers.erase()
    state.flash_writes += 1
    return [OK]


def _command(run: Callable[..., Answer], *counts: int, side_at: int | None = None) -> Callable[..., Answer]:
    """Return a command that refuses other numbers of arguments with ER05; `side_at` is where SIDE stands."""

    def counted(state: SkstackState, arguments: Arguments) -> Answer:
        sides = int(state.product.dual and side_at is not None)
        if len(arguments) - sides not in counts:
            raise FailError(5)
        return run(state, *(arguments if side_at is None else _without_side(state, arguments, index=side_at)))

    return counted


def _register(state: SkstackState, name: str, *value: str) -> Answer:
    return _write_register(state, name, *value) if value else _read_register(state, name)


COMMANDS: dict[str, Callable[..., Answer]] = {
    "SKRESET": _command(_reset, 0),
    "SKVER": _command(_version, 0),
    "SKAPPVER": _command(_application_version, 0),
    "SKINFO": _command(_info, 0),
    "SKSREG": _command(_register, 1, 2),
    "SKSETPWD": _command(_set_password, 2),
    "SKSETRBID": _command(_set_identity, 1),
    "SKSCAN": _command(_scan, 3, side_at=3),
    "SKLL64": _command(_link_local, 1),
    "SKADDNBR": _command(_add_neighbour, 2),
    "SKJOIN": _command(_join, 1),
    "SKREJOIN": _command(_rejoin, 0),
    "SKTERM": _command(_terminate, 0),
    "SKPING": _command(_ping, 1, side_at=0),
    "SKUDPPORT": _command(_udp_port, 2),
    "SKTABLE": _command(_table, 1),
    "SKSAVE": _command(_save, 0),
    "SKLOAD": _command(_load, 0),
    "SKERASE": _command(_erase, 0),
}
