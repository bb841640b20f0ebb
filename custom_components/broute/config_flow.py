"""Adding a meter: a form, then the whole way to its first reading, with everything that can go wrong told by name."""

import asyncio
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, override
from urllib.parse import urlsplit

from homeassistant.components import usb
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import (
    CONF_DEVICE,
    CONF_ID,
    CONF_PASSWORD,
    CONF_SCAN_INTERVAL,
    EVENT_HOMEASSISTANT_STOP,
    UnitOfTime,
)
from homeassistant.core import Event, callback
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from .aiobroute import (
    BrouteError,
    Credentials,
    MalformedIdError,
    MalformedPasswordError,
    Reading,
    SessionState,
    SmartMeter,
    parse_id,
    parse_password,
)
from .const import (
    CONF_HISTORY_DAYS,
    CONF_METER,
    DEFAULT_HISTORY_DAYS,
    DEFAULT_SCAN_INTERVAL_S,
    DOMAIN,
    LOGGER,
    MAX_HISTORY_DAYS,
    MAX_SCAN_INTERVAL_S,
    MIN_SCAN_INTERVAL_S,
)
from .coordinator import JOINED_METERS, BrouteConfigEntry, JoinedMeter, reason_of
from .identity import async_unique_id, meter_token

TITLE: Final = "B-Route Smart Meter"

EXAMPLE_ADDRESS: Final = "socket://192.168.1.10:4000"

FIRST_READING_LIMIT_S = 180.0
"""A meter that leaves a request of several properties unanswered is asked for fewer after two minutes."""

KEEP_JOINED_S = 60.0
"""So long the meter is kept joined for the entry, which is made when the user's browser asks how far the flow is."""

# `voluptuous` is another library to the type checker than it is in Home Assistant.
FORM: Final[Any] = vol.Schema(
    {
        vol.Required(CONF_DEVICE): SerialPortSelector(),
        vol.Required(CONF_ID): TextSelector(),
        vol.Required(CONF_PASSWORD): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD)),
    }
)

OPTIONS: Final[Any] = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL_S): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=MIN_SCAN_INTERVAL_S,
                    max=MAX_SCAN_INTERVAL_S,
                    step=1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.SECONDS,
                )
            ),
            vol.Coerce(int),
        ),
        vol.Required(CONF_HISTORY_DAYS, default=DEFAULT_HISTORY_DAYS): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=1,
                    max=MAX_HISTORY_DAYS,
                    step=1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.DAYS,
                )
            ),
            vol.Coerce(int),
        ),
    }
)

_PROGRESS: Final = {
    SessionState.OPENING: "opening",
    SessionState.SEARCHING: "searching",
    SessionState.AUTHENTICATING: "authenticating",
    SessionState.JOINED: "reading",
}
_REASONS_AT_DEVICE: Final = frozenset({"port_missing", "port_busy", "port_shared", "cannot_open_port", "not_a_module"})
_SCHEMES_OF_SERVERS: Final = frozenset({"socket", "tcp", "rfc2217"})
"""Of URLs in which host and port say it all."""


def _is_among(device: str, others: list[str]) -> bool:
    """Tell whether a port is one of the others, whatever names they go by; blocks."""
    return _what_is_at(device) in map(_what_is_at, others)


def _what_is_at(device: str) -> str:
    """Return one name for all the names of a port: a device file may have several, and a server serves one client."""
    try:
        if device.startswith("/"):
            return str(Path(device).resolve())
        url = urlsplit(device)
    except ValueError:
        # It names nothing, and so nothing that is in use; whoever opens it is told.
        return device
    # Elsewhere the rest of the URL tells which port it is.
    return url.netloc.casefold() if url.scheme.casefold() in _SCHEMES_OF_SERVERS else device


class BrouteConfigFlow(ConfigFlow, domain=DOMAIN):
    """Ask for port, ID and password, and try them."""

    VERSION = 1

    def __init__(self) -> None:
        """Begin with an empty form."""
        self._typed: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._data: dict[str, str] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._removed = False
        self._stop_keeping: list[Callable[[], None]] = []
        self._progress = ""
        self._news = asyncio.Event()
        self._awaiting_news: asyncio.Task[None] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: BrouteConfigEntry) -> BrouteOptionsFlow:
        """Return the flow that changes how the meter is read."""
        return BrouteOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take what was typed, and refuse what cannot work before any port is touched."""
        if user_input is not None:
            self._typed = {key: user_input[key] for key in (CONF_DEVICE, CONF_ID)}
            self._errors = {}
            await self._check(user_input)
            # The user may have given up meanwhile.
            if not self._errors and not self._removed:
                self._connect()
                return await self.async_step_connect()
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(FORM, self._typed),
            errors=self._errors,
            description_placeholders={"example": EXAMPLE_ADDRESS},
        )

    async def async_step_connect(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show how far the way to the first reading is."""
        if self._connecting and not self._connecting.done():
            if self._awaiting_news is None or self._awaiting_news.done():
                self._awaiting_news = self.hass.async_create_background_task(
                    self._await_news(), f"{DOMAIN} config flow progress", eager_start=False
                )
            return self.async_show_progress(
                step_id="connect", progress_action=self._progress, progress_task=self._awaiting_news
            )
        return self.async_show_progress_done(next_step_id="user" if self._errors else "finish")

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make the entry, which takes over the joined meter."""
        # Another flow may have added this meter meanwhile.
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=self._free_title(), data=self._data)

    def _free_title(self) -> str:
        """Return a title that no other meter has: the log tells them apart by it."""
        taken = {entry.title for entry in self._async_current_entries()}
        numbered = (f"{TITLE} {number}" for number in count(2))
        return next(title for title in chain([TITLE], numbered) if title not in taken)

    @callback
    @override
    def async_remove(self) -> None:
        """Free the port, unless the entry has the meter now."""
        self._removed = True
        if self._connecting:
            self._connecting.cancel()
        self._let_go()

    async def _check(self, typed: dict[str, Any]) -> None:
        """Mend and check what was typed: fill `_data`, or `_errors` by field; abort if the meter is there already."""
        try:
            route_b_id = parse_id(typed[CONF_ID])
        except MalformedIdError:
            self._errors[CONF_ID] = "invalid_id"
        try:
            password = parse_password(typed[CONF_PASSWORD])
        except MalformedPasswordError:
            self._errors[CONF_PASSWORD] = "invalid_password"
        if self._errors:
            return
        unique_id = await async_unique_id(self.hass, route_b_id)
        # A flow whose browser has gone away must not be in the way for ever.
        await self.async_set_unique_id(unique_id, raise_on_progress=False)
        self._abort_if_unique_id_configured()
        device = await self._stable_path(typed[CONF_DEVICE])
        in_use = [entry.data[CONF_DEVICE] for entry in self._async_current_entries() if not entry.disabled_by]
        if await self.hass.async_add_executor_job(_is_among, device, in_use):
            self._errors[CONF_DEVICE] = "port_in_use"
        self._data = {
            CONF_DEVICE: device,
            CONF_ID: route_b_id,
            CONF_PASSWORD: password,
            CONF_METER: meter_token(unique_id),
        }

    async def _stable_path(self, device: str) -> str:
        """Return the name of a local port that stays the same whatever else is plugged in."""
        if not device.startswith("/dev/"):
            return device
        try:
            return await self.hass.async_add_executor_job(usb.get_serial_by_id, device)
        except OSError as err:
            LOGGER.debug("There is no stable name for the port: %s", err)
            return device

    def _connect(self) -> None:
        """Begin the way to the first reading, in the background."""
        meter = SmartMeter(self._data[CONF_DEVICE], Credentials(self._data[CONF_ID], self._data[CONF_PASSWORD]))
        self._progress = _PROGRESS[SessionState.OPENING]
        # Not eagerly: a step that takes input must not end in "progress done", or it is given the input once more.
        self._connecting = self.hass.async_create_background_task(
            self._read_once(meter), f"{DOMAIN} config flow", eager_start=False
        )
        self._connecting.add_done_callback(lambda _: self._news.set())

    async def _read_once(self, meter: SmartMeter) -> None:
        """Go all the way to the first reading; the meter stays joined then, and is closed if anything goes wrong."""
        reading: Reading | None = None
        unsubscribe = meter.on_state(self._take_state)
        try:
            await meter.open()
            await meter.joined()
            async with asyncio.timeout(FIRST_READING_LIMIT_S):
                reading = await meter.read()
        except (BrouteError, TimeoutError) as err:
            LOGGER.debug("The meter could not be read: %s", err)
            # Why there is no session says more than that there is none.
            reason = reason_of(meter.failure or err)
            self._errors = {CONF_DEVICE if reason in _REASONS_AT_DEVICE else "base": reason}
        except Exception:  # noqa: BLE001 - a mistake of ours must not leave the user before a wheel that turns for ever
            LOGGER.exception("Unexpected error while the meter was tried")
            self._errors = {"base": "unknown"}
        finally:
            unsubscribe()
            if reading is None:
                # In a task of its own: Home Assistant, when it stops, does not wait for one that it has cancelled.
                await asyncio.shield(self.hass.async_create_task(meter.close()))
        if reading:
            self._keep(JoinedMeter(self.unique_id, meter, reading))

    @callback
    def _keep(self, joined: JoinedMeter) -> None:
        """Keep a meter joined for the entry, but not for ever."""
        self.hass.data.setdefault(JOINED_METERS, {})[self.flow_id] = joined
        self._stop_keeping = [
            self.hass.loop.call_later(KEEP_JOINED_S, self._let_go).cancel,
            self.hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, self._let_go),
        ]

    @callback
    def _let_go(self, _: Event | None = None) -> None:
        """Close the meter that was joined, if no entry has taken it over."""
        while self._stop_keeping:
            self._stop_keeping.pop()()
        if joined := self.hass.data.get(JOINED_METERS, {}).pop(self.flow_id, None):
            self.hass.async_create_task(joined.meter.close())

    @callback
    def _take_state(self, state: SessionState) -> None:
        if state in _PROGRESS:
            self._progress = _PROGRESS[state]
            self._news.set()

    async def _await_news(self) -> None:
        """Wait until there is something else to show."""
        await self._news.wait()
        self._news.clear()


class BrouteOptionsFlow(OptionsFlowWithReload):
    """Change how often the meter is read, and how far back its log."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for both."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init", data_schema=self.add_suggested_values_to_schema(OPTIONS, self.config_entry.options)
        )
