"""Requests: one at a time, spaced, matched, repeated, and made smaller for a meter that wants it so."""

import asyncio
import gc
from itertools import pairwise

import pytest

from custom_components.broute.aiobroute import CountersAt, MeterSilentError, NotJoinedError, NotSentError
from custom_components.broute.aiobroute.conversation import GATE_LIMIT_S, REPEATS, SPACING_S
from custom_components.broute.aiobroute.echonet import super_class
from custom_components.broute.aiobroute.watch import MODULE_CHECK_S
from simulator import OverLimit, link_local

from .stage import joined, last_answer, requests

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def test_requests_are_spaced() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        home.meter.answers.clear()
        await asyncio.gather(*(meter.read() for _ in range(4)))
        sent = [answer.at for answer in home.meter.answers if answer.esv == 0x72]
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sent)]
        assert min(gaps) > SPACING_S - 1.1  # the meter takes 0.3 to 1.3 s to answer
        assert len(sent) == 4


async def test_requests_are_spaced_from_when_they_are_on_the_air() -> None:
    """The module may be asked for something else, and not answer, when a request is handed to it."""
    async with joined() as (meter, home):
        home.meter.answer_s = (1.0, 1.0)
        await meter.describe()
        await meter.get(super_class.FAULT_STATUS)
        home.meter.answers.clear()
        home.faults.commands_ignored = {"SKINFO": 1}
        await asyncio.sleep(MODULE_CHECK_S + 0.1)
        assert not home.faults.commands_ignored["SKINFO"]
        await asyncio.gather(*(meter.get(super_class.FAULT_STATUS) for _ in range(2)))
        first, second = (answer.at for answer in home.meter.answers)
        assert (second - first).total_seconds() > SPACING_S - 0.5


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("over_limit", OverLimit)
async def test_a_meter_that_answers_fewer_properties_is_read_and_that_is_remembered(
    limit: int, over_limit: OverLimit
) -> None:
    async with joined() as (meter, home):
        home.faults.property_limit = limit
        home.faults.over_limit = over_limit
        await meter.read()
        assert (await meter.describe()).serial_number == home.meter.model.serial
        await meter.read()
        home.meter.answers.clear()
        reading = await meter.read()
        truths = [answer.truth for answer in home.meter.answers]
        assert reading.power_w in {truth.power_w for truth in truths}
        assert reading.import_kwh in {truth.import_kwh for truth in truths}
        assert reading.export_kwh in {truth.export_kwh for truth in truths}
        assert not reading.errors
        assert all(len(epcs) <= limit for epcs in requests(home))
        assert {answer.esv for answer in home.meter.answers} <= {0x72, 0x73}


async def test_a_property_that_the_map_names_and_the_meter_refuses_is_asked_again_only_once() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        read = home.meter.object.read
        home.meter.object.read = lambda epc: None if epc == 0xE3 else read(epc)  # type: ignore[method-assign]
        await meter.read()
        home.meter.answers.clear()
        reading = await meter.read()
        assert len(requests(home)) == 1
        assert reading.export_kwh is None
        assert 0xE3 in reading.errors
        assert reading.import_kwh == last_answer(home).truth.import_kwh


async def test_a_silent_meter_is_asked_again_with_a_new_tid_and_then_reported() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.meter_silent = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(MeterSilentError):
            await meter.get(super_class.FAULT_STATUS)
        assert asyncio.get_running_loop().time() - started == pytest.approx((1 + REPEATS) * 20, abs=5)


async def test_a_late_answer_is_dropped_and_the_repeat_is_taken() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.late_answers.append(25.0)
        fault = await meter.get(super_class.FAULT_STATUS)
        assert fault.value(super_class.FAULT_STATUS) is False
        tids = [answer.tid for answer in home.meter.answers if answer.epcs == (0x88,)]
        assert len(set(tids)) == len(tids) == 2
        # The late answer to the first one comes while the next request is under way.
        reading = await meter.read()
        assert reading.power_w == last_answer(home).truth.power_w


async def test_a_duplicate_answer_is_dropped() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.duplicate_answers = 3
        for _ in range(3):
            reading = await meter.read()
            assert reading.power_w == last_answer(home).truth.power_w


async def test_an_unencrypted_answer_is_dropped() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.unencrypted_copies = 3
        for _ in range(3):
            reading = await meter.read()
            assert reading.power_w == last_answer(home).truth.power_w
            assert reading.import_kwh == last_answer(home).truth.import_kwh


async def test_a_notification_during_a_request_is_taken_beside_its_answer() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        half_hours: list[CountersAt] = []
        meter.on_half_hour(half_hours.append)
        home.faults.late_answers.append(2.0)
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(SPACING_S + 0.5)
        home.meter.notices.announce(0xEA, 0xEB)
        assert (await reading).power_w is not None
        assert len(half_hours) == 1


async def test_a_notification_that_wants_an_answer_gets_one() -> None:
    async with joined() as (_, home):
        home.meter.notices.confirmed = True
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(10)
        (confirmation,) = home.meter.notices.confirmations
        assert (confirmation.esv, [prop.epc for prop in confirmation.properties]) == (0x7A, [0xEA, 0xEB])
        assert all(prop.edt == b"" for prop in confirmation.properties)


async def test_a_notification_that_wants_none_gets_none() -> None:
    async with joined() as (_, home):
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(10)
        assert not home.meter.notices.confirmations


async def test_nothing_is_sent_above_the_limit_of_transmission_time() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.module.radio.duty_limited = True
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(30)
        assert not reading.done()
        home.module.radio.duty_limited = False
        assert (await reading).power_w is not None
        home.module.radio.duty_limited = True
        began_at = asyncio.get_running_loop().time()
        with pytest.raises(NotSentError):
            await meter.read()
        assert asyncio.get_running_loop().time() - began_at == pytest.approx(GATE_LIMIT_S, abs=SPACING_S)


async def test_a_request_without_a_session_is_refused_at_once() -> None:
    async with joined() as (meter, home):
        home.meter.paa.end_session()
        await asyncio.sleep(0.5)
        with pytest.raises(NotJoinedError):
            await meter.read()


async def test_a_cancelled_request_leaves_the_session_usable() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        tasks = []
        for delay in (5.4, 0.0, 0.01, 0.05, 0.2, 1.0, 4.9, 5.0, 5.02, 5.1):
            tasks.append(asyncio.create_task(meter.read()))
            await asyncio.sleep(delay)
            tasks[-1].cancel()
            await asyncio.gather(tasks[-1], return_exceptions=True)
        assert sum(task.cancelled() for task in tasks) >= 4
        reading = await meter.read()
        assert reading.power_w == last_answer(home).truth.power_w


async def test_a_request_that_is_given_up_when_its_session_ends_leaves_no_error_behind() -> None:
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with joined() as (meter, home):
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(0.02)
        home.module.ended_by_peer(link_local(home.meter.pan.mac))
        await asyncio.sleep(0.02)
        reading.cancel()
        await asyncio.wait((reading,))
        del reading
        gc.collect()
        assert problems == []


async def test_a_notification_is_not_confirmed_while_nothing_may_be_sent() -> None:
    async with joined() as (_, home):
        home.meter.notices.confirmed = True
        home.module.radio.duty_limited = True
        await asyncio.sleep(0.1)
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(10)
        assert not home.meter.notices.confirmations
        # The meter repeats it.
        home.module.radio.duty_limited = False
        await asyncio.sleep(30)
        assert len(home.meter.notices.confirmations) == 1


@pytest.mark.parametrize("over_limit", OverLimit)
async def test_a_meter_that_refused_many_properties_once_is_asked_for_as_many_again(over_limit: OverLimit) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        home.faults.property_limit = 1
        home.faults.over_limit = over_limit
        await meter.read()
        home.faults.property_limit = None
        for _ in range(2):
            home.meter.answers.clear()
            await meter.read()
            assert [epcs for epcs in requests(home) if 0xE7 in epcs] == [(0xE7, 0xE8, 0xE0, 0xE3)]


async def test_the_end_of_the_transmission_limit_may_go_unheard() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.module.radio.duty_limited = True
        await asyncio.sleep(1)
        home.faults.set(struck=b"EVENT 33", lines_lost=1)
        home.module.radio.duty_limited = False
        await asyncio.sleep(125)
        assert (await meter.read()).power_w == last_answer(home).truth.power_w
        assert meter.statistics.sessions == 1


async def test_a_transmission_limit_that_lasts_is_not_taken_for_a_lost_session() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.module.radio.duty_limited = True
        for _ in range(20):
            with pytest.raises(NotSentError):
                await meter.read()
        home.module.radio.duty_limited = False
        assert (await meter.read()).power_w == last_answer(home).truth.power_w
        assert meter.statistics.sessions == 1


async def test_an_answer_to_an_earlier_attempt_is_taken() -> None:
    async with joined() as (meter, home):
        await meter.read()
        await meter.read()
        home.faults.late_answers.extend([12.0, 12.0])
        began_at = asyncio.get_running_loop().time()
        reading = await meter.read()
        assert asyncio.get_running_loop().time() - began_at < 20
        assert reading.power_w in {answer.truth.power_w for answer in home.meter.answers}
        assert meter.statistics.unanswered == 1


async def test_busy_air_is_not_the_silence_of_the_meter() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.faults.failed_sends = 3
        assert (await meter.read()).power_w == last_answer(home).truth.power_w
        assert (meter.statistics.not_sent, meter.statistics.unanswered) == (3, 0)


async def test_a_limit_that_was_learned_is_tried_again_after_a_day() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.property_limit = 1
        for _ in range(3):
            await meter.read()
        home.faults.property_limit = None
        home.meter.answers.clear()
        await meter.read()
        assert all(len(epcs) == 1 for epcs in requests(home))
        await asyncio.sleep(86_400)
        await meter.read()
        home.meter.answers.clear()
        await meter.read()
        assert requests(home) == [(0xE7, 0xE8, 0xE0, 0xE3)]
