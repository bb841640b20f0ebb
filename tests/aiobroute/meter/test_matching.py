"""Which frames of the meter are answers, and to what; which are notifications, and what is said to them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
import logging
from typing import Any

import pytest

from custom_components.broute.aiobroute import MeterSilentError, SmartMeter
from custom_components.broute.aiobroute.conversation import CONFIRMATIONS, SPACING_S
from custom_components.broute.aiobroute.echonet import node_profile, super_class
from custom_components.broute.aiobroute.echonet.frame import (
    NODE_PROFILE,
    SMART_METER,
    Eoj,
    Esv,
    Frame as ReceivedFrame,
    Property as ReceivedProperty,
)
from custom_components.broute.aiobroute.link.base import Drop
from simulator import Datagram, SimulatedHome, link_local
from simulator.echonet import Frame, Property
from simulator.faults import Delivery

from .stage import joined, until

pytestmark = pytest.mark.looptime(noop_cycles=0)

FAULT = Property(0x88, b"\x41")
NO_FAULT = Property(0x88, b"\x42")
METER, CONTROLLER, NODE = 0x028801, 0x05FF01, 0x0EF001
GET_SNA, INF, INFC = 0x52, 0x73, 0x74

type Change = Callable[[Frame], Frame]


async def is_faulty(meter: SmartMeter) -> bool | None:
    return (await meter.get(super_class.FAULT_STATUS)).value(super_class.FAULT_STATUS)


def answer_with(home: SimulatedHome, *changes: Change, apart_s: float = 0.5) -> None:
    """Let the meter send several frames for each answer, one after the other."""

    def answer(frame: Frame) -> Iterator[Delivery]:
        for number, change in enumerate(changes):
            yield Delivery(number * apart_s, change(frame).to_bytes())

    home.faults.answer = answer  # type: ignore[method-assign]


def true(frame: Frame) -> Frame:
    return frame


def false(**differences: Any) -> Change:
    """Return what makes an answer say that there is a fault, and differ in something else as well."""
    return lambda frame: replace(frame, **{"properties": (FAULT,)} | differences)


def say(home: SimulatedHome, frame: Frame) -> None:
    """Let the meter say something by itself."""
    home.air.transmit(
        home.meter.pan,
        home.module.radio.mac,
        Datagram(
            source=link_local(home.meter.pan.mac),
            destination=link_local(home.module.radio.mac),
            source_port=3610,
            destination_port=3610,
            source_mac=home.meter.pan.mac,
            secured=True,
            lqi=home.meter.pan.lqi,
            payload=frame.to_bytes(),
        ),
    )


# Answers.


@pytest.mark.parametrize(
    "forged",
    [
        lambda frame: replace(frame, tid=(frame.tid + 1) % 0x10000, properties=(FAULT,)),
        lambda frame: replace(frame, tid=(frame.tid - 1) % 0x10000, properties=(FAULT,)),
        false(seoj=NODE),
        false(seoj=0x028802),
        false(deoj=NODE),
        false(deoj=0x05FF02),
        false(esv=0x71),
        false(esv=0x53),
        false(esv=0x7A),
        false(properties=(FAULT, Property(0x89, b"\0\0"))),
        false(properties=(Property(0x89, b"\0\0"),)),
        false(properties=(FAULT, FAULT)),
    ],
    ids=[
        *("a TID to come", "the TID before", "of the node", "of another meter", "to the node", "to another controller"),
        *("Set_Res", "INF_SNA", "INFC_Res", "more properties", "another property", "a property twice"),
    ],
)
async def test_a_frame_that_is_no_answer_to_the_request_is_dropped(forged: Change) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        answer_with(home, forged, true)
        dropped = meter.statistics.drops[Drop.UNMATCHED]
        assert await is_faulty(meter) is False
        assert meter.statistics.drops[Drop.UNMATCHED] == dropped + 1
        assert meter.statistics.unanswered == 0


async def test_the_answer_to_an_earlier_request_is_not_taken_for_that_to_the_same_question() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.meter.object.fault = True
        home.faults.late_answers.extend([SPACING_S + 3, SPACING_S + 3])
        given_up = asyncio.create_task(meter.get(super_class.FAULT_STATUS))
        await asyncio.sleep(SPACING_S + 2)
        given_up.cancel()
        home.meter.object.fault = False
        assert await is_faulty(meter) is False
        assert meter.statistics.unanswered == 0


async def test_the_first_answer_counts_when_two_come_in_one_piece() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.gathered_s = 0.3
        answer_with(home, true, false(), apart_s=0.01)
        assert await is_faulty(meter) is False


async def test_a_refusal_may_name_no_property_at_all() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        answer_with(home, lambda frame: replace(frame, esv=GET_SNA, properties=()))
        answers = meter.statistics.answers
        assert await is_faulty(meter) is None
        assert meter.statistics.answers == answers + 1
        assert meter.statistics.unanswered == 0


async def test_a_meter_that_tells_nothing_in_an_inf_has_not_answered_yet() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        answer_with(home, false(properties=()), true)
        asked = ReceivedProperty(node_profile.INSTANCE_LIST_NOTIFICATION.epc)
        answer = await meter._session.conversation.request(Esv.INF_REQ, (asked,), to=NODE_PROFILE)
        assert answer.epcs == (asked.epc,)


async def test_bytes_behind_the_end_of_an_answer_do_not_spoil_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.broute")
    async with joined() as (meter, home):
        home.faults.answer = lambda frame: iter([Delivery(0.5, frame.to_bytes() + bytes(3))])  # type: ignore[method-assign]
        assert await is_faulty(meter) is False
    assert "followed by 3 bytes" in caplog.text


@pytest.mark.parametrize("background", [False, True])
async def test_a_meter_that_left_the_last_request_unanswered_is_sent_the_next_one_once(background: bool) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        # Then it is known how soon it answers, and nobody asks because it is silent for long.
        for _ in range(4):
            await is_faulty(meter)
            await asyncio.sleep(30)
        await is_faulty(meter)
        home.faults.meter_silent = True
        given_up = asyncio.create_task(meter.get(super_class.FAULT_STATUS))
        await until(lambda: meter.statistics.unanswered, 30)
        given_up.cancel()
        before = meter.statistics.requests
        with pytest.raises(MeterSilentError):
            await (meter.read_properties([0x88]) if background else meter.get(super_class.FAULT_STATUS))
        assert meter.statistics.requests - before == 1
        assert meter.statistics.losses == {}
        home.faults.meter_silent = False
        assert await is_faulty(meter) is False


# Notifications.


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ("010EF001", frozenset({NODE_PROFILE})),
        ("020EF001", frozenset({SMART_METER})),
        ("", frozenset({SMART_METER})),
    ],
)
async def test_an_instance_list_is_believed_if_it_is_one(
    told: str, known: frozenset[Eoj], caplog: pytest.LogCaptureFixture
) -> None:
    async with joined() as (meter, home):
        await asyncio.sleep(10)
        say(home, Frame(1, NODE, NODE, INF, (Property(0xD5, bytes.fromhex(told)),)))
        await asyncio.sleep(1)
        assert meter._session.instances.known == known
    assert ("does not say that it is a smart meter" in caplog.text) == (SMART_METER not in known)


@pytest.mark.parametrize(
    ("seoj", "deoj"),
    [(0x028802, CONTROLLER), (CONTROLLER, CONTROLLER), (METER, 0x013001), (METER, METER)],
    ids=["of another meter", "of a controller", "to an air conditioner", "to the meter"],
)
async def test_a_notification_that_is_not_of_the_meter_or_not_for_us_is_dropped(seoj: int, deoj: int) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        told: list[ReceivedFrame] = []
        meter._session.conversation.on_notification(told.append)
        dropped = meter.statistics.drops[Drop.UNMATCHED]
        for esv in (INF, INFC):
            say(home, Frame(7, seoj, deoj, esv, (FAULT,)))
        await asyncio.sleep(5)
        assert told == []
        assert not home.meter.notices.confirmations
        assert meter.statistics.drops[Drop.UNMATCHED] == dropped + 2


@pytest.mark.parametrize("seoj", [METER, NODE])
@pytest.mark.parametrize(("deoj", "ours"), [(CONTROLLER, CONTROLLER), (0x05FF00, CONTROLLER), (NODE, NODE)])
async def test_a_notification_to_any_object_of_ours_is_taken_and_confirmed_by_it(
    seoj: int, deoj: int, ours: int
) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        told: list[ReceivedFrame] = []
        meter._session.conversation.on_notification(told.append)
        say(home, Frame(7, seoj, deoj, INFC, (NO_FAULT,)))
        await asyncio.sleep(5)
        assert len(told) == 1
        (confirmation,) = home.meter.notices.confirmations
        assert (confirmation.tid, confirmation.seoj, confirmation.deoj) == (7, ours, seoj)


async def test_a_flood_of_notifications_does_not_keep_the_module_busy_with_confirmations() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.gathered_s = 1.0
        for tid in range(5 * CONFIRMATIONS):
            say(home, Frame(tid, METER, CONTROLLER, INFC, (NO_FAULT,)))
        await asyncio.sleep(30)
        assert len(home.meter.notices.confirmations) == CONFIRMATIONS
        # And later ones are confirmed again.
        say(home, Frame(99, METER, CONTROLLER, INFC, (NO_FAULT,)))
        await asyncio.sleep(5)
        assert home.meter.notices.confirmations[-1].tid == 99


def sent(home: SimulatedHome) -> int:
    """Return how often the module was told to send something."""
    return list(home.module.commands).count("SKSENDTO")


async def test_no_confirmation_is_sent_above_the_limit_of_transmission_time() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.module.radio.duty_limited = True
        await asyncio.sleep(0.1)
        before = sent(home)
        say(home, Frame(7, METER, CONTROLLER, INFC, (NO_FAULT,)))
        await asyncio.sleep(5)
        assert meter.statistics.notifications
        assert sent(home) == before


async def test_no_confirmation_is_sent_while_the_session_is_renewed() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.module.expired(link_local(home.meter.pan.mac))
        await asyncio.sleep(0.1)
        assert meter.state == "renewing"
        before = sent(home)
        say(home, Frame(7, METER, CONTROLLER, INFC, (NO_FAULT,)))
        await asyncio.sleep(5)
        assert sent(home) == before


async def test_what_is_not_confirmed_yet_does_not_hold_up_the_end_of_the_session() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.gathered_s = 0.5
        home.faults.commands_ignored = {"SKSENDTO": 2 * CONFIRMATIONS}
        for tid in range(CONFIRMATIONS):
            say(home, Frame(tid, METER, CONTROLLER, INFC, (NO_FAULT,)))
        # The first one is asked for the second time, and is carried through.
        await until(lambda: home.faults.commands_ignored["SKSENDTO"] == 2 * CONFIRMATIONS - 2, 10)
        await meter.close()
        assert home.meter.paa.session is None
