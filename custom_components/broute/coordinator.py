"""The one place that asks the meter, and the one that turns what its client reports into words.

Above: the entities. Below: `aiobroute.SmartMeter`, which finds the meter, joins it, and joins it again by itself.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, CONF_SCAN_INTERVAL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .aiobroute import (
    BrouteError,
    Credentials,
    CredentialsRefusedError,
    Dialect,
    Memory,
    MeterNotFoundError,
    MeterSilentError,
    MeterStatus,
    ModuleError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
    PortBusyError,
    PortError,
    PortMissingError,
    PortSharedError,
    PropertyError,
    Reading,
    SessionState,
    SmartMeter,
)
from .const import (
    CONF_CONTRACT,
    CONF_DEMAND_TARGET,
    CONF_ENERGY,
    CONF_HISTORY_DAYS,
    CONF_METER,
    CONF_READING_DAY,
    CONF_SUN,
    DEFAULT_HISTORY_DAYS,
    DEFAULT_SCAN_INTERVAL_S,
    DOMAIN,
    LOGGER,
)
from .devices import Devices
from .history.keeper import LogKeeper
from .history.ledger import Ledger
from .household.boost import CONF_BOOST_PERCENT, DEFAULT_BOOST_PERCENT, Boost
from .household.contract import Contract, Excess
from .household.demand_watch import DemandWatch
from .household.energy_watch import EnergyWatch
from .household.link_record import LinkRecord
from .household.sources import Sources
from .household.sun_energy_watch import SunEnergyWatch
from .household.sun_watch import SunWatch
from .household.watch import Watch
from .issues import Issues, IssueWatch
from .store import LedgerStore, MemoryStore

GRACE_S = 60.0
"""A reading that is so late is missed: until then a loss is nobody's business, and after that no old value is shown."""

STATUS_INTERVAL_S = 3600.0
"""The meter announces it when it fails or ends its operation; what got lost of that is found out so."""
RETRY_S = 300.0
"""After a failed attempt to learn what the meter is, or how it is; its readings do not wait for that."""

_REASONS: Final[tuple[tuple[type[BrouteError], str], ...]] = (
    (PortMissingError, "port_missing"),
    (PortBusyError, "port_busy"),
    (PortSharedError, "port_shared"),
    (PortError, "cannot_open_port"),
    (NotAModuleError, "not_a_module"),
    (MeterNotFoundError, "meter_not_found"),
    (CredentialsRefusedError, "credentials_refused"),
    (MeterSilentError, "no_answer"),
    (NotJoinedError, "session_lost"),
    (NotSentError, "not_sent"),
    (ModuleError, "module_error"),
    (PropertyError, "unreadable_answer"),
)
"""The first that fits is the reason: a key of the translations, below `exceptions` and below `config.error`."""

NO_READING: Final = "no_reading"
"""The reason while nothing has failed yet, but takes too long."""

type BrouteConfigEntry = ConfigEntry[BrouteCoordinator]


@dataclass(frozen=True, slots=True)
class JoinedMeter:
    """A meter that a config flow has joined and read, for the entry with this unique id that comes of the flow.

    So the entry need not find and join it again, which the meter would refuse for a while.
    """

    unique_id: str | None
    meter: SmartMeter
    reading: Reading


JOINED_METERS: HassKey[dict[str, JoinedMeter]] = HassKey(f"{DOMAIN}.joined_meters")
"""By flow id; whoever takes one out has to close it."""


def reason_of(err: BrouteError | TimeoutError) -> str:
    """Return the translation key of what went wrong."""
    return next((reason for kind, reason in _REASONS if isinstance(err, kind)), "no_answer")


def _take_over(hass: HomeAssistant, unique_id: str | None) -> JoinedMeter | None:
    """Take what a flow has joined for the entry with this unique id."""
    joined_meters = hass.data.get(JOINED_METERS, {})
    for flow_id, joined in joined_meters.items():
        if joined.unique_id == unique_id:
            return joined_meters.pop(flow_id)
    return None


class BrouteCoordinator(DataUpdateCoordinator[Reading | None]):
    """Reads the meter as long as it is joined. `data` is `None` before the first reading.

    A loss that is over within `GRACE_S` is no failure: the last reading stays, and the log stays empty. A longer one is
    told by Home Assistant's coordinator, its end here.
    """

    config_entry: BrouteConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: BrouteConfigEntry,
        *,
        store: MemoryStore,
        memory: Memory | None,
        ledger_store: LedgerStore,
        ledger: Ledger,
    ) -> None:
        """Take over what the config flow has joined, or prepare to join with what is remembered."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, always_update=False)
        self.token: str = entry.data[CONF_METER]
        self.devices = Devices(hass, entry.entry_id, self.token)
        self._usual_interval_s: float = entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL_S)
        self._store = store
        self._ledger_store = ledger_store
        self.has_session = False
        """Whether the meter is joined."""
        self._joined = asyncio.Event()
        """Set by each new session until it is taken notice of."""
        self._grace: asyncio.TimerHandle | None = None
        """Runs while a reading is due."""
        self.is_overdue = False
        """Whether a reading has been due for longer than `GRACE_S`."""
        self._poll_failure: BrouteError | None = None
        """Why the meter was not read when it was last asked."""
        self.link = Watch()
        """Tells whenever the link has changed, was used, or is used faster or slower.

        The readings are told of by `async_add_listener`, and only when they have changed.
        """
        limits = entry.options.get(CONF_CONTRACT, {})
        self.contract = Contract.of(limits)
        """What limits the supply; `None` if nothing does, as far as the options say."""
        self.excess = Excess()
        """Whether that limit is exceeded."""
        self.boost = Boost()
        """Until when the meter is read faster than usual."""
        self.link_record = LinkRecord()
        """How well the meter was heard and answered in the last hours."""
        self._boost_percent: int = limits.get(CONF_BOOST_PERCENT, DEFAULT_BOOST_PERCENT)
        self._boost_end: asyncio.TimerHandle | None = None
        if joined := _take_over(hass, entry.unique_id):
            self.meter = joined.meter
            self.data = joined.reading
        else:
            self.meter = SmartMeter(
                entry.data[CONF_DEVICE], Credentials(entry.data[CONF_ID], entry.data[CONF_PASSWORD]), memory=memory
            )
        self._pace()
        self._issues = Issues(hass, entry)
        self._issue_watch = IssueWatch(hass, entry, self.meter, self._issues)
        self.meter.on_state(self._take_state)
        self.meter.on_state(self._show_state)
        self.meter.on_status(self._take_status)
        self.log = LogKeeper(
            hass,
            self.meter,
            ledger,
            token=self.token,
            title=entry.title,
            issues=self._issues,
            depth_days=entry.options.get(CONF_HISTORY_DAYS, DEFAULT_HISTORY_DAYS),
            secure=lambda: ledger_store.async_secure(ledger),
            on_news=self._take_news_of_log,
        )
        energy_options = entry.options.get(CONF_ENERGY, {})
        target_kw = energy_options.get(CONF_DEMAND_TARGET)
        self.demand = DemandWatch(hass, self.meter, self.log, None if target_kw is None else Decimal(str(target_kw)))
        self.energy = EnergyWatch(
            hass,
            self.meter,
            self.log,
            token=self.token,
            title=entry.title,
            reading_day=energy_options.get(CONF_READING_DAY),
        )
        sources = Sources.of(entry.options.get(CONF_SUN, {}))
        self.sun = SunWatch(hass, sources)
        self.sun_energy = SunEnergyWatch(hass, self.energy, sources, title=entry.title)

    @callback
    def async_start(self) -> None:
        """Begin: the port is opened, and the meter found, joined and read, in the background."""
        self.devices.async_register()
        if self.meter.state is SessionState.CLOSED:
            self.meter.start()
        else:
            self._take_state(self.meter.state)
            self._show_state(self.meter.state)
        self.config_entry.async_create_background_task(
            self.hass, self._follow_sessions(), f"{self.name} first steps of each session"
        )
        self.config_entry.async_create_background_task(self.hass, self.log.async_run(), f"{self.name} log")
        self.config_entry.async_create_background_task(self.hass, self.energy.async_run(), f"{self.name} energy")
        self.config_entry.async_create_background_task(self.hass, self.sun_energy.async_run(), f"{self.name} sun")
        self.energy.async_look()
        self.sun.async_start()

    async def async_stop(self, _: Event) -> None:
        """End the session with the meter in order, because Home Assistant stops."""
        await self.async_shutdown()

    @override
    async def async_shutdown(self) -> None:
        """Stop reading, end the session with the meter, free the port, and remember all of it."""
        await super().async_shutdown()
        self.log.async_stop()
        self.demand.async_stop()
        self.energy.async_stop()
        self.sun.async_stop()
        self.sun_energy.async_stop()
        try:
            await self.meter.close()
        finally:
            self._end_grace()
            if self._boost_end:
                self._boost_end.cancel()
            self._issues.withdraw_all()
            await self._store.async_save(self.meter.memory)
            await self._ledger_store.async_save(self.log.ledger)

    @callback
    def _tell_of_link(self) -> None:
        self._issue_watch.look()
        self.link.async_tell()

    @property
    def tells_signal(self) -> bool | None:
        """Whether the module tells the signal strength of what it receives, and not only when it scans."""
        module = self.meter.module
        return module.dialect in (Dialect.DUAL_STACK, Dialect.J11) if module else None

    @property
    def failure(self) -> str | None:
        """The reason why the meter is not read at present, a translation key; `None` while it is."""
        failure = self.meter.failure or self._poll_failure
        return reason_of(failure) if failure else None

    @override
    async def _async_update_data(self) -> Reading | None:
        self._begin_grace()
        asked_s = self.hass.loop.time()
        try:
            reading = await self._read()
        except BrouteError as err:
            LOGGER.debug("%s: The meter was not read: %s", self.name, err)
            # Why there is no session says more than that there is none.
            self._poll_failure = self.meter.failure or err
            if self.is_overdue:
                raise self._update_failed() from err
            return self.data
        self._poll_failure = None
        self._end_grace()
        # A reading may take several requests, the more so where some are lost: its counters are from after the first.
        self.demand.async_take(reading, asked_s)
        self.energy.async_take(reading, asked_s)
        self.sun.async_take(reading, asked_s)
        if not self.last_update_success:
            # Home Assistant's own line for this is at a level that its log leaves out by default. And it tells the
            # entities nothing if the time was over in the middle of this poll and the values are those from before.
            LOGGER.warning("%s: The meter is read again", self.name)
            self.async_set_updated_data(reading)
        return reading

    async def _read(self) -> Reading:
        signal_dbm = None
        try:
            reading = await self.meter.read()
            self._see(reading)
            if self.tells_signal:
                signal_dbm = self.meter.rssi_dbm
        finally:
            statistics = self.meter.statistics
            self.link_record = self.link_record.see(
                dt_util.utcnow(), signal_dbm, requests=statistics.requests, answers=statistics.answers
            )
            self._tell_of_link()
        return reading

    @callback
    def _see(self, reading: Reading) -> None:
        """Look what a reading means for the limit of the supply: each one, also if it is the same as before."""
        if self.contract is None:
            return
        now_s = self.hass.loop.time()
        usage_percent = self.contract.usage_percent(reading.current_r_a, reading.current_t_a)
        self.excess = self.excess.see(now_s, usage_percent, self.contract.over_percent)
        self.boost = self.boost.see(now_s, usage_percent, self._boost_percent)
        self._pace()

    # The interval: one place sets it.

    @callback
    def async_boost(self, duration_s: float) -> None:
        """Read faster for so long, in seconds; the next reading begins within 5 s."""
        now_s = self.hass.loop.time()
        was_on = self.boost.is_on(now_s)
        self.boost = self.boost.ask(now_s, duration_s)
        self._pace()
        if self._unsub_refresh and not was_on:
            # No reading is under way, after which the next one would be arranged anyway; nor is one as near already,
            # which whoever asks again and again would put off for ever.
            self._schedule_refresh()
        self._tell_of_link()

    @callback
    def async_end_boost(self) -> None:
        """Read as usual, unless so much of the limit is used that it takes more."""
        self.boost = self.boost.end()
        self._pace()
        self._tell_of_link()

    @callback
    def _pace(self) -> None:
        """Read at the interval that is due now, and look at it again when that ends; without a session, not at all."""
        now_s = self.hass.loop.time()
        interval_s = self.boost.interval_s(now_s, self._usual_interval_s)
        self.meter.read_interval_s = interval_s
        # Polls without a session would all fail.
        self.update_interval = timedelta(seconds=interval_s) if self.has_session else None
        if self._boost_end:
            self._boost_end.cancel()
            self._boost_end = None
        if (ends_at_s := self.boost.ends_at_s(now_s)) is not None:
            self._boost_end = self.hass.loop.call_at(ends_at_s, self._fall_back)

    @callback
    def _fall_back(self) -> None:
        """Read as usual from now on, unless it is still faster for the other reason."""
        self._pace()
        self._tell_of_link()

    @callback
    def _take_news_of_log(self) -> None:
        self._ledger_store.async_keep(self.log.ledger)
        self.demand.async_look()
        self.energy.async_look()
        self.async_update_listeners()

    @callback
    def _take_state(self, state: SessionState) -> None:
        """Follow the session: read while there is one, and count the time while there is none."""
        had_session, self.has_session = self.has_session, state in (SessionState.JOINED, SessionState.RENEWING)
        if state is SessionState.CLOSED:
            return
        if self.has_session and not had_session:
            self._pace()
            self._joined.set()
        elif not self.has_session:
            self._pace()
            self._begin_grace()
            if self.is_overdue and self.meter.failure:
                self.async_set_update_error(self._update_failed())

    @callback
    def _show_state(self, _: SessionState) -> None:
        """Show what becomes of the link, and which module there is now."""
        if self.meter.module:
            self.devices.async_show_module(self.meter.module)
        self._tell_of_link()

    @callback
    def _begin_grace(self) -> None:
        """Count the time from now on, unless it is counted already."""
        if self._grace is None:
            self._grace = self.hass.loop.call_later(GRACE_S, self._miss_reading)

    @callback
    def _end_grace(self) -> None:
        self.is_overdue = False
        if self._grace:
            self._grace.cancel()
            self._grace = None

    @callback
    def _miss_reading(self) -> None:
        """Let the last reading be valid no longer. Where there was none yet, a failure is still to come."""
        self.is_overdue = True
        if self.failure or self.data is not None:
            self.async_set_update_error(self._update_failed())

    def _update_failed(self) -> UpdateFailed:
        """Return the error for the coordinator, which logs the first one after a success."""
        return UpdateFailed(translation_domain=DOMAIN, translation_key=self.failure or NO_READING)

    async def _follow_sessions(self) -> None:
        """Read the meter as soon as it is joined, each time anew; then learn what it is, and every hour how it is."""
        while True:
            await self._joined.wait()
            self._joined.clear()
            await self.async_refresh()
            self._store.async_keep(self.meter.memory)
            is_described = False
            while not self._joined.is_set():
                is_described = is_described or await self._describe()
                is_known = is_described and await self._read_status()
                with suppress(TimeoutError):
                    async with asyncio.timeout(STATUS_INTERVAL_S if is_known else RETRY_S):
                        await self._joined.wait()

    async def _describe(self) -> bool:
        """Learn what the meter is, and tell whether that is known now."""
        # The first reading may have needed it already.
        if not (constants := self.meter.constants) or not self.meter.is_described:
            try:
                constants = await self.meter.describe()
            except BrouteError as err:
                LOGGER.debug("%s: It is not known yet what meter this is: %s", self.name, err)
                return False
        self._store.async_keep(self.meter.memory)
        self.devices.async_show_meter(constants)
        self.log.async_meet(constants)
        if constants.measures_export and self.data and self.data.export_kwh is None:
            # It was not asked for: that the meter counts it is known only now.
            await self.async_refresh()
        self.async_update_listeners()
        return True

    async def _read_status(self) -> bool:
        """Ask the meter how it is, and tell whether it has said so."""
        try:
            await self.meter.read_status()
        except BrouteError as err:
            LOGGER.debug("%s: The meter does not say how it is: %s", self.name, err)
            return False
        return True

    @callback
    def _take_status(self, _: MeterStatus) -> None:
        self._issue_watch.look()
        self.async_update_listeners()
