"""What the tests of the driver have the module say, and how long they wait for it."""

from typing import Any

from custom_components.broute.aiobroute.credentials import Credentials

from .peer import now
from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS

CREDENTIALS = Credentials.parse("00112233445566778899AABBCCDDEEFF", "0123456789AB")
REQUEST = bytes.fromhex("1081000105FF010288016201E700")
POWER = "1081000102880105FF017201E704000001F4"
SENT = f"EVENT 21 {METER_ADDRESS} 0 00"
NOT_SENT = f"EVENT 21 {METER_ADDRESS} 0 01"
SEARCHED = f"EVENT 21 {METER_ADDRESS} 0 02"
NO_METER = f"EVENT 22 {OWN_ADDRESS} 0"


def datagram(payload: str = POWER, *, sender: str = METER_ADDRESS, mac: str = METER_MAC, flags: str = "1 0") -> str:
    size = len(payload) // 2
    return f"ERXUDP {sender} {OWN_ADDRESS} 0E1A 0E1A {mac} {flags} {size:04X} {payload}"


def event(number: int) -> str:
    return f"EVENT {number:02X} {METER_ADDRESS} 0"


async def seconds(work: Any) -> float:
    """Return how long it took."""
    began = now()
    await work
    return now() - began


def pan(channel: str, mac: str, lqi: str, pairing_id: str | None = "CCDDEEFF") -> list[str]:
    rows = [f"  Channel:{channel}", "  Channel Page:09", "  Pan ID:8888", f"  Addr:{mac}", f"  LQI:{lqi}", "  Side:0"]
    if pairing_id is not None:
        rows.append(f"  PairID:{pairing_id}")
    return [f"EVENT 20 {OWN_ADDRESS} 0", "EPANDESC", *rows]
