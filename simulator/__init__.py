"""The other side of the air: a smart meter with a known load, the Wi-SUN modules that speak for it, and their faults.

It is a reading of the specification of its own: it shares no line with the client, so that each checks the other.

    async def test_power(self):
        with SimulatedHome(module="BP35A1", load=ConstantLoad(500)) as home:
            transport = await home.open_port("memory://", protocol_factory)
            ...
            assert home.truth().power_w == 500
            home.faults.meter_silent = True

What goes wrong is switched in `home.faults`, for a time or for the next so many: lines, bytes, commands, answers, the
air and the authentication; `Faults.documentation()` tells each of them. What happens all at once is a method of the
part:

    home.meter.paa.end_session()       the meter ends the session (EVENT 26, J11: 601A 04)
    home.meter.paa.forget_session()    it forgets the session without a word
    home.meter.reboot(60)              no mains: neither beacon nor acknowledgement, nothing is counted; then no session
    home.meter.clock_offset = ...      its clock is set wrong, or right again
    home.meter.restart_counters()      the same meter counts anew from 0
    home.meter.change_scale(unit=2)    it counts in another unit, with another coefficient or other digits
    home.meter.fault = True            it announces a fault; so do `operating` and `location`
    home.replace_meter()               another meter with the same ID, new or with an earlier life
    home.add_neighbour(pan)            another household's meter
    home.module.reset()                the module starts anew under us (J11: 6019)
    home.module.port.unplug()          the port is gone, until `plug()`
    home.module.radio.duty_limited     the ARIB limit (EVENT 32 and 33, J11: detail 2 of 2008)
    home.module.radio.hear(datagram)   a datagram of anybody
    home.module.uart.babble(b"?", 5)  bytes without end

`Happenings(home)` has them by name, for whoever draws lots or sits behind the control port (`control`).

Everything runs on the running event loop's clock; with `looptime` a day of readings takes seconds.

From the bottom up: `load` and `registers` (what is measured), `history` (what the meter keeps of it), `echonet`,
`properties`, `services` and `notices` (the meter's node), `paa` and `meter`, `air`, `radio`, `skstack` or `j11` (the
module, by what its `products` entry names), `uart`, and `ports` or `serve` (what a client opens). `faults` is asked by
all of them; `happenings` and `control` reach into them from above. `python -m simulator` serves one home to other
processes.
"""

from .air import Air, Datagram, Pan, link_local
from .clock import JST, Clock
from .faults import Faults
from .happenings import Happenings
from .history import History
from .home import ID, PASSWORD, START, SimulatedHome
from .j11.module import J11Module
from .load import EPOCH, ConstantLoad, Energy, Flow, HouseLoad, Load, Mains, ScriptedLoad
from .meter import Meter
from .models import MODELS, NORMAL_ONLY, OKINAWA, RELEASE_F, RELEASE_R, TWO_WIRE, MeterModel
from .module import Module
from .products import PRODUCTS, Product
from .registers import UNIT_KWH, Registers
from .services import OverLimit
from .skstack.module import SkstackModule
from .truth import Answer, Truth

__all__ = [
    "EPOCH",
    "ID",
    "JST",
    "MODELS",
    "NORMAL_ONLY",
    "OKINAWA",
    "PASSWORD",
    "PRODUCTS",
    "RELEASE_F",
    "RELEASE_R",
    "START",
    "TWO_WIRE",
    "UNIT_KWH",
    "Air",
    "Answer",
    "Clock",
    "ConstantLoad",
    "Datagram",
    "Energy",
    "Faults",
    "Flow",
    "Happenings",
    "History",
    "HouseLoad",
    "J11Module",
    "Load",
    "Mains",
    "Meter",
    "MeterModel",
    "Module",
    "OverLimit",
    "Pan",
    "Product",
    "Registers",
    "ScriptedLoad",
    "SimulatedHome",
    "SkstackModule",
    "Truth",
    "link_local",
]
