"""One attempt with a port, an ID and a password: all the way to the first reading, in the background."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback

from ..aiobroute import BrouteError, Credentials, Reading, SessionState, SmartMeter
from ..const import DOMAIN, LOGGER
from ..coordinator import JOINED_METERS, JoinedMeter, reason_of
from .loan import Loan, NotReleasedError

FIRST_READING_LIMIT_S = 180.0
"""A meter that leaves a request of several properties unanswered is asked for fewer after two minutes."""

KEEP_JOINED_S = 60.0
"""So long it is waited for the user's browser to ask how the attempt has ended: the meter is kept joined for the entry
that is made then."""

KEEP_LENT_S = 300.0
"""So long a port stays lent after an attempt that failed, because the next one usually follows."""

RELEASING: Final = "releasing"
PROGRESS: Final = {
    SessionState.OPENING: "opening",
    SessionState.SEARCHING: "searching",
    SessionState.AUTHENTICATING: "authenticating",
    SessionState.JOINED: "reading",
}


class Attempt:
    """The way to the first reading of a flow; whatever becomes of it, no port is left open, and none stays lent.

    Args:
        hass: Home Assistant.
        flow_id: of the flow.
        unique_id: of the entry that shall have the meter.
        data: port, ID and password, as an entry has them.
        loan: the port, if an entry has it.
        change: writes what was tried into the entry that lends its port, or returns why that cannot be. It is called as
            soon as the meter was read, whether anybody looks or not, and the entry goes on with the joined meter.
            `None`: the meter is kept joined for the entry that the flow will make.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        flow_id: str,
        unique_id: str,
        data: Mapping[str, str],
        *,
        loan: Loan,
        change: Callable[[], str | None] | None,
    ) -> None:
        """Begin."""
        self.progress = RELEASING if loan.entry else PROGRESS[SessionState.OPENING]
        """How far it is: a translation key."""
        self.failure: str | None = None
        """Why it has failed: a translation key."""
        self._hass = hass
        self._flow_id = flow_id
        self._unique_id = unique_id
        self._loan = loan
        self._change = change
        self._meter = SmartMeter(data[CONF_DEVICE], Credentials(data[CONF_ID], data[CONF_PASSWORD]))
        self._joined_meters = hass.data.setdefault(JOINED_METERS, {})
        self._stop_waiting: list[Callable[[], None]] = []
        self._is_flow_over = False
        self._news = asyncio.Event()
        # Not eagerly: a step that takes input must not end in "progress done", or it is given the input once more.
        self._task = hass.async_create_background_task(self._run(), f"{DOMAIN} config flow", eager_start=False)
        self._task.add_done_callback(lambda _: self._news.set())

    @property
    def is_over(self) -> bool:
        """Whether the meter was read, or the attempt has failed."""
        return self._task.done()

    async def async_wait_for_news(self) -> None:
        """Wait until it is further than it was, or over."""
        await self._news.wait()
        self._news.clear()

    @callback
    def async_end(self) -> None:
        """Free the port, unless an entry has the meter now, and give it back: the flow is over."""
        self._is_flow_over = True
        if self._stop_waiting:
            self._let_go()
        elif not self._task.cancel():
            self._loan.async_give_back_in(0)

    async def _run(self) -> None:
        reading: Reading | None = None
        try:
            await self._loan.async_take()
            reading = await self._read()
        except NotReleasedError:
            self.failure = "not_released"
        except (BrouteError, TimeoutError) as err:
            LOGGER.debug("The meter could not be read: %s", err)
            # Why there is no session says more than that there is none.
            self.failure = reason_of(self._meter.failure or err)
        except Exception:  # noqa: BLE001 - a mistake of ours must not leave the user before a wheel that turns for ever
            LOGGER.exception("Unexpected error while the meter was tried")
            self.failure = "unknown"
        finally:
            # In a task of its own: Home Assistant, when it stops, does not wait for one that it has cancelled.
            await asyncio.shield(self._hass.async_create_task(self._settle(reading)))

    async def _read(self) -> Reading:
        unsubscribe = self._meter.on_state(self._take_state)
        try:
            await self._meter.open()
            await self._meter.joined()
            async with asyncio.timeout(FIRST_READING_LIMIT_S):
                return await self._meter.read()
        finally:
            unsubscribe()

    @callback
    def _take_state(self, state: SessionState) -> None:
        if state in PROGRESS:
            self.progress = PROGRESS[state]
            self._news.set()

    async def _settle(self, reading: Reading | None) -> None:
        """Hand over the meter that was read, or free the port."""
        if reading and self._change:
            self.failure = self._change()
        if reading is None or self.failure:
            await self._close(KEEP_LENT_S)
            return
        self._joined_meters[self._flow_id] = JoinedMeter(self._unique_id, self._meter, reading)
        if not self._change:
            self._wait_for_the_flow(self._let_go)
            return
        # Somebody may have set the entry up meanwhile, with what it had before.
        with suppress(NotReleasedError):
            await self._loan.async_take()
        await self._loan.async_give_back()
        if self._joined_meters.pop(self._flow_id, None):
            # The entry was disabled or removed meanwhile.
            await self._meter.close()
        if not self._is_flow_over:
            # Nor is a notice left of something that is done.
            self._wait_for_the_flow(partial(self._hass.config_entries.flow.async_abort, self._flow_id))

    def _wait_for_the_flow(self, give_up: Callable[[], object]) -> None:
        self._stop_waiting = [
            self._hass.loop.call_later(KEEP_JOINED_S, give_up).cancel,
            self._hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, self._let_go),
        ]

    @callback
    def _let_go(self, _: Event | None = None) -> None:
        """Close the meter that is kept joined, if no entry has taken it over."""
        while self._stop_waiting:
            self._stop_waiting.pop()()
        if self._joined_meters.pop(self._flow_id, None):
            self._hass.async_create_task(self._close(0))
        else:
            self._loan.async_end_turn()

    async def _close(self, keep_lent_s: float) -> None:
        await self._meter.close()
        self._loan.async_give_back_in(0 if self._is_flow_over else keep_lent_s)
