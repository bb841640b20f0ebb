"""Names for the manufacturer codes of meters (property 8A).

From the ECHONET Consortium's list of issued codes; of its hundreds only those of who makes electricity meters or the
communication units in them.
"""

from collections.abc import Mapping
from types import MappingProxyType

MANUFACTURERS: Mapping[int, str] = MappingProxyType(
    {
        0x000006: "Mitsubishi Electric",
        0x000009: "NEC",
        0x00000B: "Panasonic",
        0x000012: "Oi Electric",
        0x000016: "Toshiba",
        0x00002E: "Shikoku Instrumentation",
        0x000035: "Toshiba Toko Meter Systems",
        0x000041: "Enegate",
        0x000048: "Oki Electric Industry",
        0x000052: "Osaki Electric",
        0x000085: "Takaoka Toko",
        0x00008C: "Kyuden Technosystems",
        0x0000C1: "Tsuken Electric Industry",
        0x0000C2: "Tohoku Electric Meter Industry",
        0x0000CB: "Fuji Electric",
        0x000140: "Landis+Gyr",
    }
)
