"""The commands that no capture holds, and the numbers behind them."""

import pytest

from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.link.base import Dialect
from custom_components.broute.aiobroute.link.skstack import commands


def test_the_worked_transmission_is_byte_exact() -> None:
    """Protocol 6.1: the header, then the data, and nothing behind them."""
    worked = bytes.fromhex(
        "53 4B 53 45 4E 44 54 4F 20 31 20 46 45 38 30 3A 30 30 30 30 3A 30 30 30 30 3A 30 30 30 30 3A 30 32 31 44 3A 31"
        "32 39 30 3A 31 32 33 34 3A 35 36 37 38 20 30 45 31 41 20 31 20 30 30 30 45 20"
        "10 81 00 01 05 FF 01 02 88 01 62 01 E7 00"
    )
    address = commands.link_local_address(bytes.fromhex("001D129012345678"))
    payload = bytes.fromhex("1081000105FF010288016201E700")
    assert commands.send_to(Dialect.SINGLE_STACK, address, 3610, payload) == worked
    assert commands.send_to(Dialect.DUAL_STACK, address, 3610, payload) == worked.replace(b" 1 000E ", b" 1 0 000E ")


@pytest.mark.parametrize(
    ("mac", "address"),
    [
        ("001D129012345678", "FE80:0000:0000:0000:021D:1290:1234:5678"),
        ("0250C2FFFEDC2822", "FE80:0000:0000:0000:0050:C2FF:FEDC:2822"),
        ("FFFFFFFFFFFFFFFF", "FE80:0000:0000:0000:FDFF:FFFF:FFFF:FFFF"),
        ("0000000000000000", "FE80:0000:0000:0000:0200:0000:0000:0000"),
    ],
)
def test_an_address_is_written_in_full_and_in_upper_case(mac: str, address: str) -> None:
    assert commands.link_local_address(bytes.fromhex(mac)) == address


@pytest.mark.parametrize(("duration", "about_s"), [(4, 5), (5, 9), (6, 18), (7, 36), (8, 72)])
def test_the_time_of_a_scan_is_that_of_the_manual(duration: int, about_s: int) -> None:
    """Protocol 3.4, for all 28 channels."""
    assert commands.scan_time_s(duration) == pytest.approx(about_s, abs=0.25)


def test_the_duration_of_a_scan_is_written_in_hex() -> None:
    assert commands.active_scan(Dialect.SINGLE_STACK, 14) == b"SKSCAN 2 FFFFFFFF E\r\n"
    assert commands.active_scan(Dialect.DUAL_STACK, 10) == b"SKSCAN 2 FFFFFFFF A 0\r\n"


def test_credentials_are_written_as_they_were_mended() -> None:
    credentials = Credentials.parse("00112233-44556677-8899aabb-ccddeeff", "0123 4567 89ab")
    assert commands.set_route_b_id(credentials) == b"SKSETRBID 00112233445566778899AABBCCDDEEFF\r\n"
    assert commands.set_password(credentials) == b"SKSETPWD C 0123456789AB\r\n"


def test_constants_are_whole_commands() -> None:
    assert (commands.RESET, commands.TERMINATE, commands.INFORMATION) == (b"SKRESET\r\n", b"SKTERM\r\n", b"SKINFO\r\n")
    assert (commands.STACK_VERSION, commands.APPLICATION_VERSION) == (b"SKVER\r\n", b"SKAPPVER\r\n")
    assert commands.ECHO_OFF == b"SKSREG SFE 0\r\n"
