"""The one place that asks the meter, and the one that turns what its client reports into words.

Above: the entities. Below: `aiobroute.SmartMeter`, which finds the meter, joins it, and joins it again by itself.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, CONF_SCAN_INTERVAL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util.hass_dict import HassKey

from .aiobroute import (
    BrouteError,
    Constants,
    Credentials,
    CredentialsRefusedError,
    MeterNotFoundError,
    ModuleError,
    NotAModuleError,
    NotSentError,
    PortBusyError,
    PortError,
    PortMissingError,
    Reading,
    SessionState,
    SmartMeter,
)
from .const import CONF_METER, DEFAULT_SCAN_INTERVAL_S, DOMAIN, LOGGER
from .manufacturers import MANUFACTURERS

MODEL: Final = "Low-voltage smart electric energy meter"
DEVICE_TRANSLATION_KEY: Final = "smart_meter"

DESCRIBE_RETRY_S = 300.0
"""After a failed attempt to learn what the meter is; its readings do not wait for that."""

_REASONS: Final[tuple[tuple[type[BrouteError], str], ...]] = (
    (PortMissingError, "port_missing"),
    (PortBusyError, "port_busy"),
    (PortError, "cannot_open_port"),
    (NotAModuleError, "not_a_module"),
    (MeterNotFoundError, "meter_not_found"),
    (CredentialsRefusedError, "credentials_refused"),
    (NotSentError, "no_answer"),
    (ModuleError, "module_error"),
)
"""The first that fits is the reason: a key of the translations, below `exceptions` and below `config.error`."""

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
    """Reads the meter as long as it is joined. `data` is `None` before the first reading."""

    config_entry: BrouteConfigEntry

    def __init__(self, hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
        """Take over what the config flow has joined, or prepare to join."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, always_update=False)
        self.token: str = entry.data[CONF_METER]
        self._interval = timedelta(seconds=entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL_S))
        self._told: set[str] = set()
        """The reasons in the log since the meter was last read."""
        self._first_steps: asyncio.Task[None] | None = None
        if joined := _take_over(hass, entry.unique_id):
            self.meter = joined.meter
            self.data = joined.reading
        else:
            self.meter = SmartMeter(
                entry.data[CONF_DEVICE], Credentials(entry.data[CONF_ID], entry.data[CONF_PASSWORD])
            )

    async def async_start(self) -> None:
        """Open the port; the meter is found, joined and read in the background.

        Raises:
            ConfigEntryNotReady: the port cannot be opened, or there is no Wi-SUN module behind it.
        """
        if self.meter.state is SessionState.CLOSED:
            try:
                await self.meter.open()
            except BrouteError as err:
                raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key=reason_of(err)) from err
        self.meter.on_state(self._take_state)
        self._take_state(self.meter.state)

    async def async_stop(self, _: Event) -> None:
        """End the session with the meter in order, because Home Assistant stops."""
        await self.async_shutdown()

    @override
    async def async_shutdown(self) -> None:
        """Stop reading, end the session with the meter, and free the port."""
        await super().async_shutdown()
        await self.meter.close()

    @override
    async def _async_update_data(self) -> Reading | None:
        if self.meter.state is not SessionState.JOINED and self.meter.failure:
            # A poll that was due when the session was lost.
            raise self._failure(self.meter.failure)
        try:
            reading = await self.meter.read()
        except BrouteError as err:
            raise self._failure(err) from err
        self._told.clear()
        return reading

    @callback
    def _take_state(self, state: SessionState) -> None:
        """Follow the session: read while there is one, and tell why there is none."""
        if state is SessionState.JOINED:
            self.update_interval = self._interval
            if self._first_steps:
                # It may be resting since the session before.
                self._first_steps.cancel()
            self._first_steps = self.config_entry.async_create_background_task(
                self.hass, self._begin(), f"{self.name} first steps of a session"
            )
            return
        # Polls without a session would all fail, and say so.
        self.update_interval = None
        if state is SessionState.WAITING and self.meter.failure:
            self.async_set_update_error(self._failure(self.meter.failure))

    def _failure(self, err: BrouteError) -> UpdateFailed:
        """Return the error for the coordinator, which logs the first one; log a later one that says something new."""
        reason = reason_of(err)
        failure = UpdateFailed(translation_domain=DOMAIN, translation_key=reason)
        if not self.last_update_success and reason not in self._told:
            LOGGER.error("%s: %s", self.name, failure)
        self._told.add(reason)
        return failure

    async def _begin(self) -> None:
        """Read the meter as soon as it is joined, and then learn what it is."""
        await self.async_refresh()
        # The first reading may have needed it already.
        while not (constants := self.meter.constants) or not self.meter.is_described:
            try:
                await self.meter.describe()
            except BrouteError as err:
                LOGGER.debug("It is not known yet what meter this is: %s", err)
                await asyncio.sleep(DESCRIBE_RETRY_S)
        self._register_device(constants)
        if constants.measures_export and self.data and self.data.export_kwh is None:
            # It was not asked for: that the meter counts it is known only now.
            await self.async_refresh()
        self.async_update_listeners()

    @callback
    def _register_device(self, constants: Constants) -> None:
        """Show what the meter says of itself."""
        version = constants.standard_version
        dr.async_get(self.hass).async_get_or_create(
            config_entry_id=self.config_entry.entry_id,
            identifiers={(DOMAIN, self.token)},
            translation_key=DEVICE_TRANSLATION_KEY,
            manufacturer=MANUFACTURERS.get(constants.manufacturer_code or 0),
            model=MODEL,
            serial_number=constants.serial_number,
            sw_version=f"Release {version}" if version else None,
        )
