"""The driver: every command answered, refused, answered late or not at all."""

from collections.abc import Callable
import logging

import pytest

from custom_components.broute.aiobroute.exceptions import (
    CommandNotSupportedError,
    CommandRefusedError,
    ExecutionFailedError,
    InvalidArgumentError,
    ModuleSilentError,
    SerialInputError,
    WrongArgumentCountError,
)
from custom_components.broute.aiobroute.link.base import Dialect, LinkEvent
from custom_components.broute.aiobroute.link.skstack.console import COMMAND_TIMEOUT_S

from .dialogue import CREDENTIALS, NO_METER, POWER, REQUEST, SENT, datagram, event
from .peer import NETWORK, OK, Heard, Peer, dual_stack, identified, joined, now, single_stack, turn
from .wire import METER_ADDRESS

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]


@pytest.mark.parametrize(
    ("peer", "dialect", "registers"),
    [
        (single_stack, Dialect.SINGLE_STACK, []),
        # Signal strength; the same register may be the transmit power of a single-stack module.
        (dual_stack, Dialect.DUAL_STACK, [b"SKSREG SA2 1\r\n"]),
    ],
)
async def test_a_module_is_prepared_from_a_reset(
    peer: Callable[[], Peer], dialect: Dialect, registers: list[bytes]
) -> None:
    module = peer()
    async with identified(module) as link:
        assert link.module.dialect is dialect
        module.commands.clear()
        await link.prepare(CREDENTIALS)
    assert module.commands == [
        b"SKRESET\r\n",
        b"SKSREG SFE 0\r\n",
        *registers,
        b"SKSETPWD C 0123456789AB\r\n",
        b"SKSETRBID 00112233445566778899AABBCCDDEEFF\r\n",
    ]


@pytest.mark.parametrize(
    ("peer", "side"), [(single_stack, b""), (dual_stack, b" 0")], ids=["single-stack", "dual-stack"]
)
async def test_the_dialects_differ_in_the_side_of_scan_and_send(peer: Callable[[], Peer], side: bytes) -> None:
    module = peer()
    async with joined(module) as link:
        module.answers("SKSCAN", OK, NO_METER)
        module.answers("SKSENDTO", SENT, OK)
        await link.scan(6)
        await link.send(REQUEST)
    assert module.commands == [
        b"SKSCAN 2 FFFFFFFF 6" + side + b"\r\n",
        b"SKSENDTO 1 " + METER_ADDRESS.encode() + b" 0E1A 1" + side + b" 000E " + REQUEST,
    ]


async def test_a_join_writes_the_channel_and_the_pan_id_that_were_heard() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.commands.clear()
        peer.answers("SKJOIN", OK, event(0x25))
        await link.join(NETWORK)
    assert peer.commands == [
        b"SKSREG S2 21\r\n",
        b"SKSREG S3 8888\r\n",
        b"SKJOIN " + METER_ADDRESS.encode() + b"\r\n",
    ]


@pytest.mark.parametrize("peer", [single_stack, dual_stack])
@pytest.mark.parametrize("payload_form", [b"OK 00\r", b"OK 01\r", b"FAIL ER04\r\n"], ids=["binary", "hex", "no ROPT"])
async def test_nothing_is_ever_written_to_the_flash(peer: Callable[[], Peer], payload_form: bytes) -> None:
    module = peer()
    module.answers_anew("ROPT", payload_form)
    module.answers("SKSCAN", OK, NO_METER)
    module.answers("SKSENDTO", SENT, OK)
    module.answers("SKTERM", OK, event(0x27))
    async with identified(module) as link:
        await link.prepare(CREDENTIALS)
        await link.scan(5)
        module.answers("SKJOIN", OK, event(0x25))
        await link.join(NETWORK)
        await link.send(REQUEST)
        await link.leave()
        await link.prepare(CREDENTIALS)
    assert set(module.names) == {
        *("SKVER", "SKAPPVER", "SKINFO", "ROPT", "SKSREG", "SKRESET", "SKSETPWD", "SKSETRBID"),
        *("SKSCAN", "SKJOIN", "SKSENDTO", "SKTERM"),
    }
    # Auto load would need SKSAVE, and the echo register is no flash.
    registers = {command.split()[1] for command in module.commands if command.startswith(b"SKSREG")}
    assert registers <= {b"SFE", b"SA2", b"S2", b"S3"}


REFUSALS = [
    ("FAIL ER04", CommandNotSupportedError),
    ("FAIL ER05", WrongArgumentCountError),
    ("FAIL ER06", InvalidArgumentError),
    ("FAIL ER09", SerialInputError),
    ("FAIL ER10", ExecutionFailedError),
    ("FAIL ER99", CommandRefusedError),
    ("FAIL ER01", CommandRefusedError),
    ("FAIL", CommandRefusedError),
]


@pytest.mark.parametrize(("line", "error"), REFUSALS, ids=[line for line, _ in REFUSALS])
async def test_a_refusal_is_an_error_of_its_reason(line: str, error: type[CommandRefusedError]) -> None:
    peer = dual_stack()
    # What is refused for its form may have been spoilt on the way and is asked again.
    for _ in range(1 if error is ExecutionFailedError else 2):
        peer.answers("SKSCAN", line)
    peer.answers("SKSCAN", OK, NO_METER)
    async with identified(peer) as link:
        with pytest.raises(CommandRefusedError) as raised:
            await link.scan(6)
        assert type(raised.value) is error
        assert now() < COMMAND_TIMEOUT_S
        # The next command is not in doubt.
        peer.commands.clear()
        await link.scan(6)
        assert peer.names == ["SKSCAN"]


@pytest.mark.parametrize("refused", ["SKRESET", "SKSREG", "SKSETPWD", "SKSETRBID"])
async def test_a_module_that_refuses_its_preparation_is_told(refused: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew(refused, "FAIL ER06")
        with pytest.raises(InvalidArgumentError):
            await link.prepare(CREDENTIALS)


@pytest.mark.parametrize("silent", ["SKRESET", "SKSETPWD"])
async def test_a_module_that_does_not_answer_a_command_twice_is_told(silent: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers(silent)
        began = now()
        peer.commands.clear()
        with pytest.raises(ModuleSilentError, match=silent):
            await link.prepare(CREDENTIALS)
        assert now() - began == pytest.approx(2 * COMMAND_TIMEOUT_S, abs=0.1)
        assert peer.names[-3:] == [silent, "SKVER", silent]


async def test_credentials_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer = dual_stack(echo=True)
    peer.answers("SKSETPWD", "FAIL ER06")
    async with identified(peer) as link:
        with pytest.raises(InvalidArgumentError) as raised:
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        await link.prepare(CREDENTIALS)
    assert "SKSETPWD" in caplog.text
    for secret in (CREDENTIALS.password, CREDENTIALS.route_b_id, CREDENTIALS.pairing_id):
        assert secret not in caplog.text
        assert secret not in str(raised.value)


async def test_neither_addresses_nor_payloads_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer = dual_stack()
    async with joined(peer) as link:
        Heard(link)
        peer.answers("SKSENDTO", datagram(sender="FE80:0000:0000:0000:021D:1290:0000:0001"), SENT, OK, datagram())
        await link.send(REQUEST)
        peer.say("ERXUDP FE80:0000:0000:0000:021D:1290:1234:5678 garbled", f"EVENT 21 {METER_ADDRESS}", "JUNK 5678")
        await turn()
    for secret in ("1234", "5678", POWER, REQUEST.hex()):
        assert secret not in caplog.text


async def test_a_late_ok_is_not_the_answer_to_the_next_command() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKSETPWD")
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        # The late OK comes when the next command has already been written, which is then refused.
        peer.answers_anew("SKVER", OK, 0.1, "EVER 1.5.2", OK)
        peer.answers_anew("SKRESET", 0.1, "FAIL ER10")
        peer.say(0.05, OK)
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)


async def test_a_late_refusal_is_not_the_answer_to_the_next_command() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKSETPWD")
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        peer.answers_anew("SKVER", "FAIL ER06", 0.1, "EVER 1.5.2", OK)
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert peer.names[-1] == "SKSETRBID"


async def test_a_module_in_doubt_is_asked_something_that_cannot_be_mistaken() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKRESET")
        peer.answers("SKRESET")
        peer.answers("SKRESET", OK)
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert peer.names[:3] == ["SKVER", "SKRESET", "SKSREG"]
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert "SKVER" not in peer.names


async def test_a_module_that_stays_silent_is_told_each_time() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew("SK")
        for name in ("SKVER", "SKAPPVER", "SKINFO"):
            peer.answers_anew(name)
        for _ in range(3):
            began = now()
            with pytest.raises(ModuleSilentError):
                await link.prepare(CREDENTIALS)
            assert now() - began == pytest.approx(2 * COMMAND_TIMEOUT_S, abs=0.1)


async def test_an_ok_with_a_value_is_not_the_answer_to_a_command_of_the_stack() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKRESET", b"OK 01\r", 0.1, "FAIL ER10")
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)


async def test_an_answer_that_nothing_waits_for_is_ignored() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(OK, "FAIL ER10", "EVER 9.9.9", b"OK 01\r", event(0x29))
        await turn()
        # What comes in the same piece is not lost with it.
        assert heard.events == [LinkEvent.EXPIRED]
        await link.prepare(CREDENTIALS)
        assert link.module.version == "1.5.2"
