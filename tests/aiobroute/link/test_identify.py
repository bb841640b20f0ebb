"""What is behind a port is told within five seconds, and nothing is changed in it but its echo."""

import asyncio
from collections.abc import Callable
import errno
import os
import termios

import pytest
import serialx

from custom_components.broute.aiobroute.exceptions import (
    NotAModuleError,
    PortBusyError,
    PortError,
    PortMissingError,
)
from custom_components.broute.aiobroute.link.base import Dialect, Module
from custom_components.broute.aiobroute.link.identify import ANSWER_WAITS_S, identify
from custom_components.broute.aiobroute.link.j11.driver import J11Link
from custom_components.broute.aiobroute.link.port import CLOSE_LIMIT_S, Port, open_with_serialx
from custom_components.broute.aiobroute.link.skstack.driver import SkStackLink

from .j11.module import CREDENTIALS, NETWORK, STARTED, VERSION, J11Peer, frame, response
from .peer import J11_REQUEST, OK, URL, Heard, Peer, Piece, dual_stack, identified, now, single_stack, turn
from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS

LIMIT_S = 5.0
"""What the README promises."""


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("kind", [SkStackLink, J11Link])
async def test_what_was_not_identified_is_no_module(kind: type[SkStackLink | J11Link]) -> None:
    with pytest.raises(NotAModuleError):
        _ = kind(Port(URL)).module


@pytest.mark.looptime(noop_cycles=0)
async def test_a_module_as_in_02_is_single_stack_and_writes_hex() -> None:
    async with identified(single_stack()) as link:
        assert link.module == Module(
            dialect=Dialect.SINGLE_STACK, version="1.2.10", application_version="rev26e", hex_payload=True
        )
        assert link.is_open


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("side", ["0", "1"])
async def test_a_module_whose_information_ends_with_a_side_is_dual_stack(side: str) -> None:
    peer = dual_stack()
    peer.answers_anew("SKINFO", f"EINFO FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 21 FFFF {side}", OK)
    async with identified(peer) as link:
        assert link.module == Module(
            dialect=Dialect.DUAL_STACK, version="1.5.2", application_version=None, hex_payload=True
        )


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    ("answer", "hex_payload"),
    [
        (b"OK 01\r", True),
        (b"OK 00\r", False),
        (b"OK 01\r\n", True),
        (b"OK 00\n", False),
        (b"FAIL ER04\r\n", True),
        # Only bit 0 is the form of the payload.
        (b"OK 02\r", False),
        (b"OK 81\r", True),
    ],
)
async def test_ropt_tells_the_form_of_the_payloads(answer: bytes, hex_payload: bool) -> None:
    async with identified(dual_stack(answer)) as link:
        assert link.module.hex_payload is hex_payload


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    ("payload_form", "written", "payloads"),
    [
        (b"OK 01\r", b"AB0D", [b"\xab\x0d"]),
        (b"OK 01\r", b"AB", []),
        (b"OK 00\r", b"\r\n", [b"\r\n"]),
        (b"OK 00\r", b"AB0D", []),
    ],
    ids=["hex", "hex, one byte lost", "binary", "binary, longer than it says"],
)
async def test_datagrams_are_read_in_the_form_that_was_told(
    payload_form: bytes, written: bytes, payloads: list[bytes]
) -> None:
    """In the second and fourth case the form alone tells that something is wrong."""
    peer = dual_stack(payload_form)
    async with identified(peer) as link:
        heard = Heard(link)
        header = f"ERXUDP {METER_ADDRESS} {OWN_ADDRESS} 0E1A 0E1A {METER_MAC} 1 0 0002 "
        peer.say(header.encode("ascii") + written + b"\r\n")
        await asyncio.sleep(0.1)
        assert heard.payloads == payloads


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("make", [single_stack, dual_stack])
async def test_a_module_whose_echo_is_on_is_identified(make: Callable[..., Peer]) -> None:
    peer = make(echo=True)
    async with identified(peer) as link:
        assert link.module.version in {"1.2.10", "1.5.2"}


@pytest.mark.looptime(noop_cycles=0)
async def test_identifying_writes_nothing_but_questions_and_the_echo_register() -> None:
    """What is refused may have been spoilt on the way, and is asked again behind a question that cannot be mistaken."""
    again = [b"\r\n", b"SKVER\r\n"]
    begin = [b"\r\n", b"SKVER\r\n", b"SKSREG SFE 0\r\n", b"SKAPPVER\r\n"]
    peer = single_stack()
    async with identified(peer):
        pass
    assert peer.commands == [*begin, b"SKINFO\r\n", b"ROPT\r", *again, b"ROPT\r"]
    peer = dual_stack()
    async with identified(peer):
        pass
    assert peer.commands == [*begin, *again, b"SKAPPVER\r\n", b"SKINFO\r\n", b"ROPT\r"]


@pytest.mark.looptime(noop_cycles=0)
async def test_what_an_earlier_program_left_unfinished_is_ended_before_the_first_question() -> None:
    """The line end completes the junk to a refused line, and the refusal is not the answer to SKVER."""
    peer = dual_stack()
    async with identified(peer):
        assert peer.commands[0] == b"\r\n"
    peer = dual_stack()
    peer.answers_anew("SKVER", "FAIL ER04", "EVER 1.5.2", OK)
    peer.answers("SKVER", "EVER 1.5.2", OK)
    async with identified(peer) as link:
        assert link.module.dialect is Dialect.DUAL_STACK
        assert link.module.version == "1.5.2"


@pytest.mark.looptime(noop_cycles=0)
async def test_a_module_that_misses_the_first_question_is_asked_again() -> None:
    peer = dual_stack()
    peer.answers_anew("SKVER")
    peer.answers("SKVER", "EVER 1.5.2", OK)
    async with identified(peer) as link:
        assert link.module.version == "1.5.2"
    assert peer.names[:2] == ["SKVER", "SKVER"]


@pytest.mark.looptime(noop_cycles=0)
async def test_half_a_line_left_in_the_wire_does_not_spoil_the_second_question() -> None:
    peer = dual_stack()
    peer.answers_anew("SKVER", b"ERXUDP FE80:00")
    peer.answers("SKVER", "EVER 1.5.2", OK)
    async with identified(peer) as link:
        assert link.module.version == "1.5.2"


@pytest.mark.looptime(noop_cycles=0)
async def test_events_of_an_old_session_do_not_disturb() -> None:
    peer = dual_stack()
    event = f"EVENT 25 {METER_ADDRESS} 0"
    datagram = f"ERXUDP {METER_ADDRESS} {OWN_ADDRESS} 0E1A 0E1A {METER_MAC} 1 0 0002 1081"
    peer.answers_anew("SKVER", event, "EVER 1.5.2", datagram, OK)
    peer.answers_anew("SKINFO", datagram, f"EINFO {OWN_ADDRESS} 001D1290ABCDEF01 21 FFFF 0", event, OK)
    async with identified(peer) as link:
        assert link.module.dialect is Dialect.DUAL_STACK


@pytest.mark.looptime(noop_cycles=0)
async def test_an_ok_without_the_version_is_not_the_answer_to_the_version() -> None:
    peer = dual_stack()
    peer.answers_anew("SKVER", OK, 0.2, "EVER 1.5.2", OK)
    async with identified(peer) as link:
        assert link.module.version == "1.5.2"


# Which family it is.


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("first", [None, *Dialect])
async def test_a_j11_module_is_found_whatever_is_asked_first(first: Dialect | None) -> None:
    peer = J11Peer()
    link = await identify(peer.open, URL, first=first)
    try:
        assert link.module.dialect is Dialect.J11
        assert now() == (0 if first is Dialect.J11 else ANSWER_WAITS_S[0])
        # SKSTACK's question did not disturb it.
        assert peer.requests == [VERSION]
        await link.prepare(CREDENTIALS)
        await link.join(NETWORK)
    finally:
        await link.close()


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("make", [single_stack, dual_stack])
@pytest.mark.parametrize("first", [None, *Dialect])
async def test_an_skstack_module_is_found_whatever_is_asked_first(
    first: Dialect | None, make: Callable[..., Peer], *, echo: bool
) -> None:
    peer = make(echo=echo)
    link = await identify(peer.open, URL, first=first)
    try:
        assert link.module.dialect is (Dialect.SINGLE_STACK if make is single_stack else Dialect.DUAL_STACK)
        assert now() == (ANSWER_WAITS_S[0] if first is Dialect.J11 else 0)
        # What J11's question left there was ended as a line of its own, and its refusal was nobody's answer.
        assert peer.names[0] == "SKVER"
        assert [command[-2:] for command in peer.commands if command.startswith(J11_REQUEST)] == (
            [b"\r\n"] if first is Dialect.J11 else []
        )
        await link.prepare(CREDENTIALS)
    finally:
        await link.close()


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("first", [None, Dialect.J11])
@pytest.mark.parametrize("module", ["J11", "SKSTACK"])
async def test_a_module_that_takes_a_second_is_found_in_time(module: str, first: Dialect | None) -> None:
    peer: Peer
    if module == "J11":
        peer = J11Peer()
        peer.answers_anew(VERSION, 0.95, response(VERSION, 1, "0400 01 03 0000158A"))
    else:
        peer = dual_stack()
        peer.answers_anew("SKVER", 0.95, "EVER 1.5.2", OK)
    link = await identify(peer.open, URL, first=first)
    assert now() <= LIMIT_S
    assert (link.module.dialect is Dialect.J11) is (module == "J11")
    await link.close()
    peer.silence()


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    "answer",
    [
        (),
        (response(VERSION, 0x3D),),
        (response(VERSION)[:-1],),
        (frame(0xFFFF),),
        (b"\xd0\xf9" * 500,),
        (response("0001", 1, "03 01 01"),),
        (STARTED,),
    ],
    ids=["nothing", "busy", "cut", "unknown", "noise", "another answer", "just started"],
)
async def test_a_j11_module_that_does_not_answer_well_at_first_is_asked_again(answer: tuple[Piece, ...]) -> None:
    peer = J11Peer()
    peer.answers_anew(VERSION, *answer)
    peer.answers(VERSION, response(VERSION, 1, "0400 01 03 0000158A"))
    link = await identify(peer.open, URL)
    assert link.module.dialect is Dialect.J11
    assert peer.requests == [VERSION, VERSION]
    await link.close()


# What is no module.


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    "answer",
    [
        (),
        (OK,),
        ("FAIL ER04",),
        ("login:",),
        (b"\x00\xff" * 200,),
        (frame(0xFFFF),),
        ("EVER 1.5.2",),
        (OK, "EVER 1.5.2"),
    ],
    ids=[
        "silent",
        "only OK",
        "only FAIL",
        "a console",
        "noise",
        "a module of another make",
        "version alone",
        "version after OK",
    ],
)
async def test_a_port_without_a_module_is_told_in_time(answer: tuple[Piece, ...]) -> None:
    peer = Peer()
    peer.answers("", *answer)
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)
    assert now() <= LIMIT_S
    assert peer.transport
    assert peer.transport.is_closing()
    peer.silence()


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_talks_without_end_is_told_in_time() -> None:
    peer = Peer()
    peer.answers("", *(piece for second in range(60) for piece in (0.1, f"sensor {second}")))
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)
    assert now() <= LIMIT_S
    peer.silence()


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("command", ["SKSREG", "SKAPPVER", "SKINFO", "ROPT"])
async def test_a_module_that_falls_silent_while_it_is_identified_is_none(command: str) -> None:
    peer = dual_stack()
    peer.answers_anew(command)
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)
    assert now() <= LIMIT_S


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("command", ["SKSREG", "SKINFO"])
async def test_a_module_that_refuses_what_every_module_knows_is_none(command: str) -> None:
    peer = dual_stack()
    peer.answers_anew(command, "FAIL ER04")
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)


@pytest.mark.looptime(noop_cycles=0)
async def test_a_module_that_does_not_say_what_it_is_is_none() -> None:
    peer = dual_stack()
    peer.answers_anew("SKINFO", "EINFO ", OK)
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)


@pytest.mark.looptime(noop_cycles=0)
async def test_nothing_survives_a_port_that_opens_late_and_is_silent() -> None:
    peer = Peer(opens_after_s=LIMIT_S - 0.5)
    peer.answers("")
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)
    assert now() <= LIMIT_S
    await turn()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.looptime(noop_cycles=0)
async def test_nothing_survives_a_cancelled_identification() -> None:
    peer = Peer()
    peer.answers("")
    task = asyncio.create_task(identify(peer.open, URL))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert peer.transport
    assert peer.transport.is_closing()
    await turn()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("after_s", [0.0, 0.5])
async def test_a_port_that_is_lost_while_it_is_identified_is_told_at_once(after_s: float) -> None:
    peer = Peer()
    peer.answers("")
    task = asyncio.create_task(identify(peer.open, URL))
    await asyncio.sleep(after_s)
    await turn()
    peer.unplug()
    with pytest.raises(PortError, match="lost"):
        await task
    assert now() == after_s


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_is_lost_as_soon_as_it_is_open_is_told_at_once() -> None:
    class Unplugged(Peer):
        """A module that is pulled out in the moment in which its port opens."""

        async def open(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
            transport = await super().open(url, protocol_factory)
            self.unplug()
            await asyncio.sleep(0)
            return transport

    with pytest.raises(PortError, match="lost"):
        await identify(Unplugged().open, URL)
    assert now() == 0


# Ports.


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_does_not_open_is_told_in_time() -> None:
    with pytest.raises(PortError):
        await identify(Peer(opens_after_s=3600.0).open, URL)
    assert now() <= LIMIT_S


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (FileNotFoundError(errno.ENOENT, "no such file"), PortMissingError),
        (OSError(errno.ENODEV, "no such device"), PortMissingError),
        (OSError(errno.ENXIO, "no such device or address"), PortMissingError),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), PortMissingError),
        (OSError(errno.EHOSTUNREACH, "no route"), PortMissingError),
        (OSError(errno.ENETUNREACH, "no network"), PortMissingError),
        (OSError(errno.EBUSY, "busy"), PortBusyError),
        (BlockingIOError(errno.EAGAIN, "locked"), PortBusyError),
        (PermissionError(errno.EACCES, "denied"), PortError),
        (OSError(errno.EIO, "broken"), PortError),
        (serialx.SerialException("no handler"), PortError),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
async def test_why_a_port_does_not_open_is_told_by_the_class_of_the_error(
    cause: Exception, error: type[PortError]
) -> None:
    async def opener(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        raise cause

    with pytest.raises(PortError) as raised:
        await identify(opener, URL)
    assert type(raised.value) is error
    assert raised.value.__cause__ is cause
    assert ("may not open" in str(raised.value)) is isinstance(cause, PermissionError)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("socket://host.invalid", PortMissingError),
        ("socket://127.0.0.1:99999", PortMissingError),
        ("socket://[::1", PortMissingError),
        ("rfc2217://", PortMissingError),
        ("/a\0b", PortMissingError),
        ("nonsense://x", PortError),
    ],
)
async def test_an_address_that_cannot_be_one_is_an_error_of_the_port(url: str, error: type[PortError]) -> None:
    with pytest.raises(PortError) as raised:
        await Port.open(open_with_serialx, url)
    assert type(raised.value) is error


async def test_a_serial_port_is_opened_as_modules_come_and_for_us_alone() -> None:
    """115200 baud, 8N1, no flow control (protocol 3.1)."""
    module, terminal = os.openpty()
    try:
        port = await Port.open(open_with_serialx, os.ttyname(terminal))
        try:
            received = asyncio.get_running_loop().create_future()
            port.receive = received.set_result
            _, _, control, _, speed_in, speed_out, _ = termios.tcgetattr(terminal)
            assert speed_in == speed_out == termios.B115200
            assert control & termios.CSIZE == termios.CS8
            assert not control & (termios.PARENB | termios.CSTOPB | termios.CRTSCTS)
            with pytest.raises(PortBusyError):
                await Port.open(open_with_serialx, os.ttyname(terminal))
            port.write(b"SKVER\r\n")
            assert await asyncio.to_thread(os.read, module, 100) == b"SKVER\r\n"
            os.write(module, b"EVER 1.5.2\r\n")
            assert await received == b"EVER 1.5.2\r\n"
        finally:
            await port.close()
    finally:
        os.close(module)
        os.close(terminal)


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    ("url", "error"), [("socket://server:1", PortBusyError), ("rfc2217://server:1", PortBusyError), (URL, PortError)]
)
async def test_a_server_that_hangs_up_before_the_module_has_answered_has_given_the_port_to_another(
    url: str, error: type[PortError]
) -> None:
    peer = Peer()
    peer.answers("")

    async def hangs_up(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        transport = await peer.open(URL, protocol_factory)
        asyncio.get_running_loop().call_later(0.1, transport.close)
        return transport

    with pytest.raises(PortError) as raised:
        await identify(hangs_up, url)
    assert type(raised.value) is error


async def test_a_path_that_is_not_there_is_a_missing_port() -> None:
    with pytest.raises(PortMissingError):
        await Port.open(open_with_serialx, "/dev/no-such-port")


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_does_not_tell_its_end_is_aborted() -> None:
    peer = Peer(stuck=True)
    port = await Port.open(peer.open, URL)
    began = now()
    await port.close()
    assert now() - began <= CLOSE_LIMIT_S
    assert peer.transport
    assert peer.transport.was_aborted


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_ends_in_order_is_not_aborted() -> None:
    peer = Peer()
    port = await Port.open(peer.open, URL)
    was_open = port.is_open
    await port.close()
    assert now() == 0
    assert (was_open, port.is_open) == (True, False)
    assert peer.transport
    assert not peer.transport.was_aborted


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_is_closing_takes_nothing_more() -> None:
    peer = Peer(stuck=True)
    port = await Port.open(peer.open, URL)
    closing = asyncio.create_task(port.close())
    await turn()
    assert not port.is_open
    with pytest.raises(PortError):
        port.write(b"SKVER\r\n")
    assert not peer.commands
    await closing


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_nobody_uses_yet_drops_what_comes() -> None:
    peer = Peer()
    port = await Port.open(peer.open, URL)
    peer.say(OK)
    await turn()
    peer.unplug()
    await turn()
    assert not port.is_open


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_was_lost_takes_nothing_more() -> None:
    peer = Peer()
    port = await Port.open(peer.open, URL)
    losses: list[None] = []
    port.lost = lambda: losses.append(None)
    peer.unplug()
    await turn()
    assert losses == [None]
    assert not port.is_open
    with pytest.raises(PortError, match="lost"):
        port.write(b"SKVER\r\n")
    assert not peer.commands


@pytest.mark.looptime(noop_cycles=0)
async def test_a_closed_port_tells_neither_bytes_nor_its_end() -> None:
    peer = Peer()
    port = await Port.open(peer.open, URL)
    told: list[bytes] = []
    port.receive = told.append
    port.lost = lambda: told.append(b"lost")
    protocol = port
    await port.close()
    protocol.data_received(b"EVENT 25")
    assert not told


async def test_a_port_that_was_never_open_is_closed_without_complaint() -> None:
    port = Port("/dev/ttyUSB0")
    assert not port.is_open
    await port.close()
    with pytest.raises(PortError):
        port.write(b"SKVER\r\n")
