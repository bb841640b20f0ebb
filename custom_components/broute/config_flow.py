"""The forms: adding a meter, taking it over from Home Assistant's own integration, changing how it is reached.

Each ends in the same attempt, which goes all the way to the first reading (`flow.attempt`).
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import chain, count
from typing import Any, Final, override

from homeassistant.components import usb
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigFlow,
    ConfigFlowResult,
    OperationNotAllowed,
)
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.usb import UsbServiceInfo
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .aiobroute import MalformedIdError, MalformedPasswordError, parse_id, parse_password
from .const import CONF_METER, DOMAIN
from .coordinator import BrouteConfigEntry
from .flow.attempt import Attempt
from .flow.loan import Loan
from .flow.options import BrouteOptionsFlow
from .flow.ports import async_is_among, async_stable_path, is_named_after
from .identity import async_unique_id, meter_token

EXAMPLE_ADDRESS: Final = "socket://192.168.1.10:4000"

CORE_DOMAIN: Final = "route_b_smart_meter"
"""Home Assistant's own integration. Its entries have port, ID and password under the same names as ours."""

CONF_ENTRY: Final = "entry"

_ID: Final = TextSelector(TextSelectorConfig(autocomplete="off"))
# A browser that fills in what it knows would take the user's account at Home Assistant.
_PASSWORD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password"))

_NEW_METER: Final = {
    vol.Required(CONF_DEVICE): SerialPortSelector(),
    vol.Required(CONF_ID): _ID,
    vol.Required(CONF_PASSWORD): _PASSWORD,
}
_KNOWN_METER: Final = {
    vol.Required(CONF_DEVICE): SerialPortSelector(),
    vol.Required(CONF_ID): _ID,
    vol.Optional(CONF_PASSWORD): _PASSWORD,
}
# `voluptuous` is another library to the type checker than it is in Home Assistant.
FORMS: Final[dict[str, Any]] = {
    "user": vol.Schema(_NEW_METER),
    "usb_confirm": vol.Schema(_NEW_METER),
    "take_over_confirm": vol.Schema(_KNOWN_METER),
    "reconfigure": vol.Schema(_KNOWN_METER),
    "reauth_confirm": vol.Schema({vol.Required(CONF_ID): _ID, vol.Optional(CONF_PASSWORD): _PASSWORD}),
}
"""By step. A password that is known, and may stay, is not shown and need not be typed."""

FIELDS: Final = {
    **dict.fromkeys(("port_missing", "port_busy", "port_shared", "cannot_open_port", "not_a_module"), CONF_DEVICE),
    "id_in_use": CONF_ID,
}
"""Where a reason why an attempt has failed is told, if not at the top of the form."""


class BrouteConfigFlow(ConfigFlow, domain=DOMAIN):
    """Ask for port, ID and password, and try them."""

    VERSION = 1

    def __init__(self) -> None:
        """Begin with an empty form."""
        self._name = ""
        """Of the entry or the module that it is about."""
        self._known: dict[str, str] = {}
        """Port, ID and password, as far as an entry has them or they were typed."""
        self._form = ""
        """The step that asks for the rest."""
        self._errors: dict[str, str] = {}
        self._unique_id = ""
        self._data: dict[str, str] = {}
        self._core_entry_id: str | None = None
        self._attempt: Attempt | None = None
        self._awaiting_news: asyncio.Task[None] | None = None
        self._removed = False

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: BrouteConfigEntry) -> BrouteOptionsFlow:
        """Return the flow that changes how the meter is read."""
        return BrouteOptionsFlow()

    # Adding a meter.

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for everything; before that, how to begin, if Home Assistant's own integration has a meter."""
        if self.cur_step is None and self._entries_to_take_over():
            return await self.async_step_begin()
        return await self._ask("user", user_input)

    async def async_step_begin(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer to take over that meter."""
        return self.async_show_menu(step_id="begin", menu_options=["take_over", "user"])

    async def async_step_take_over(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which one, if there are several."""
        entries = self._entries_to_take_over()
        if user_input is not None:
            entries = [entry for entry in entries if entry.entry_id == user_input[CONF_ENTRY]]
        if not entries:
            # Removed since it was offered.
            return await self.async_step_user()
        if len(entries) == 1:
            (entry,) = entries
            self._core_entry_id = entry.entry_id
            self._name = entry.title
            self._known = dict(entry.data)
            return await self.async_step_take_over_confirm()
        options = [
            SelectOptionDict(value=entry.entry_id, label=f"{entry.title} ({entry.data[CONF_DEVICE]})")
            for entry in entries
        ]
        form: Any = vol.Schema({vol.Required(CONF_ENTRY): SelectSelector(SelectSelectorConfig(options=options))})
        return self.async_show_form(step_id="take_over", data_schema=form)

    async def async_step_take_over_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what it has, and say what will become of it."""
        return await self._ask("take_over_confirm", user_input)

    @override
    async def async_step_usb(self, discovery_info: UsbServiceInfo) -> ConfigFlowResult:
        """Take note of a module that was plugged in, without touching its port."""
        await self.async_set_unique_id(usb.usb_unique_id_from_service_info(discovery_info))
        self._abort_if_unique_id_configured()
        device = await async_stable_path(self.hass, discovery_info.device)
        if await async_is_among(self.hass, device, [entry.data[CONF_DEVICE] for entry in self._entries()]):
            return self.async_abort(reason="already_configured")
        if await async_is_among(self.hass, device, self._ports_of_core()):
            return self.async_abort(reason="port_of_core")
        plugged_in = {port.device for port in await usb.async_scan_serial_ports(self.hass)}
        for entry in self._entries():
            if entry.data[CONF_DEVICE] not in plugged_in and is_named_after(entry.data[CONF_DEVICE], discovery_info):
                return self.async_update_reload_and_abort(
                    entry, data_updates={CONF_DEVICE: device}, reason="already_configured"
                )
        self._name = discovery_info.description or device
        self.context["title_placeholders"] = {"name": self._name}
        self._known = {CONF_DEVICE: device}
        return await self.async_step_usb_confirm()

    async def async_step_usb_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the rest."""
        return await self._ask("usb_confirm", user_input)

    # Changing how a meter is reached.

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin, because the meter refuses what the entry has."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for ID and password."""
        return await self._ask_for_change("reauth_confirm", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another port, another ID, another password."""
        return await self._ask_for_change("reconfigure", user_input)

    async def _ask_for_change(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        entry = self._entry_to_change()
        self._name = entry.title
        self._known = {**entry.data, **self._known}
        return await self._ask(step_id, user_input)

    def _entry_to_change(self) -> BrouteConfigEntry:
        if not (entry := self._loan.entry):
            raise AbortFlow("entry_removed")
        return entry

    @callback
    def _change_entry(self) -> str | None:
        """Write what was tried into the entry; return why that cannot be."""
        if self._id_is_taken:
            return "id_in_use"
        if entry := self._loan.entry:
            # Its token stays, and so do the entities, the device and the statistics that are named after it.
            self.hass.config_entries.async_update_entry(
                entry, unique_id=self._unique_id, data={**entry.data, **self._data}
            )
            self._end([*self._offers(), *entry.async_get_active_flows(self.hass, {SOURCE_REAUTH})])
        return None

    # What all of them have in common.

    async def _ask(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Show a form; take what was typed, and refuse what cannot work before any port is touched."""
        self._form = step_id
        if user_input is not None:
            self._known |= {key: value for key, value in user_input.items() if value or key != CONF_PASSWORD}
            self._errors = {}
            await self._check()
            # The user may have given up meanwhile.
            if not self._errors and not self._removed:
                self._attempt = Attempt(
                    self.hass,
                    self.flow_id,
                    self._unique_id,
                    self._data,
                    loan=self._loan,
                    change=self._change_entry if self._is_change else None,
                )
                return await self.async_step_connect()
        form = FORMS[step_id]
        suggested = {key: value for key, value in self._known.items() if key != CONF_PASSWORD}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(form, suggested),
            errors={field if field in form.schema else "base": reason for field, reason in self._errors.items()},
            description_placeholders={"example": EXAMPLE_ADDRESS, "name": self._name},
        )

    async def _check(self) -> None:
        """Mend and check what is known: fill `_data`, or `_errors` by field; abort if the meter is there already."""
        try:
            route_b_id = parse_id(self._known[CONF_ID])
        except MalformedIdError:
            self._errors[CONF_ID] = "invalid_id"
        try:
            password = parse_password(self._known.get(CONF_PASSWORD, ""))
        except MalformedPasswordError:
            self._errors[CONF_PASSWORD] = "invalid_password"
        if self._errors:
            return
        self._unique_id = await async_unique_id(self.hass, route_b_id)
        if self._id_is_taken:
            if not self._is_change:
                raise AbortFlow("already_configured")
            self._errors[CONF_ID] = "id_in_use"
        device = await async_stable_path(self.hass, self._known[CONF_DEVICE])
        in_use = [entry.data[CONF_DEVICE] for entry in self._other_entries() if not entry.disabled_by]
        if await async_is_among(self.hass, device, in_use):
            self._errors[CONF_DEVICE] = "port_in_use"
        elif await async_is_among(self.hass, device, self._ports_of_core()):
            self._errors[CONF_DEVICE] = "port_of_core"
        self._data = {CONF_DEVICE: device, CONF_ID: route_b_id, CONF_PASSWORD: password}

    async def async_step_connect(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show how far the way to the first reading is."""
        attempt = self._attempt
        if attempt and not attempt.is_over:
            if self._awaiting_news is None or self._awaiting_news.done():
                self._awaiting_news = self.hass.async_create_background_task(
                    attempt.async_wait_for_news(), f"{DOMAIN} config flow progress", eager_start=False
                )
            return self.async_show_progress(
                step_id="connect", progress_action=attempt.progress, progress_task=self._awaiting_news
            )
        if attempt and attempt.failure:
            self._errors = {FIELDS.get(attempt.failure, "base"): attempt.failure}
        return self.async_show_progress_done(next_step_id=self._form if self._errors else "finish")

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make the entry, which takes over the joined meter."""
        if self._is_change:
            # What was tried is in the entry already.
            return self.async_update_and_abort(self._entry_to_change())
        texts = await async_get_translations(self.hass, self.hass.config.language, "title", [DOMAIN])
        name = texts[f"component.{DOMAIN}.title"]
        await self.async_set_unique_id(self._unique_id, raise_on_progress=False)
        # Another flow may have added this meter meanwhile.
        self._abort_if_unique_id_configured()
        if core_entry := self._loan.entry:
            # One that could not even be loaded is disabled all the same.
            with suppress(OperationNotAllowed):
                await self.hass.config_entries.async_set_disabled_by(core_entry.entry_id, ConfigEntryDisabler.USER)
        self._end(self._offers())
        token = meter_token(self._unique_id, {entry.data[CONF_METER] for entry in self._entries()})
        return self.async_create_entry(title=self._free_title(name), data=self._data | {CONF_METER: token})

    def _free_title(self, name: str) -> str:
        """Return the name, with a number where another meter has it for its title: the log tells them apart by that."""
        taken = {entry.title for entry in self._entries()}
        numbered = (f"{name} {number}" for number in count(2))
        return next(title for title in chain([name], numbered) if title not in taken)

    def _offers(self) -> list[ConfigFlowResult]:
        """Return the flows that offer the module of this one."""
        return self.hass.config_entries.flow.async_progress_by_init_data_type(
            UsbServiceInfo, lambda module: module.device == self._data[CONF_DEVICE]
        )

    @callback
    def _end(self, flows: Iterable[ConfigFlowResult]) -> None:
        """End what is done by this flow, too."""
        for flow in flows:
            if flow["handler"] == DOMAIN and flow["flow_id"] != self.flow_id:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    @override
    def async_remove(self) -> None:
        """Free the port, unless the entry has the meter now."""
        self._removed = True
        if self._attempt:
            self._attempt.async_end()

    # What there is.

    @property
    def _is_change(self) -> bool:
        return self.source in {SOURCE_REAUTH, SOURCE_RECONFIGURE}

    @cached_property
    def _loan(self) -> Loan:
        """The port, if an entry has it: the one that is changed, or the one that is taken over."""
        return Loan(self.hass, self._core_entry_id or self.context.get("entry_id"))

    def _entries(self) -> list[BrouteConfigEntry]:
        return self._async_current_entries(include_ignore=False)

    def _other_entries(self) -> list[BrouteConfigEntry]:
        return [entry for entry in self._entries() if entry is not self._loan.entry]

    @property
    def _id_is_taken(self) -> bool:
        return self._unique_id in {entry.unique_id for entry in self._other_entries()}

    def _core_entries(self) -> list[ConfigEntry[Any]]:
        """Return what Home Assistant's own integration has, as far as it is as we know it."""
        entries = self.hass.config_entries.async_entries(CORE_DOMAIN)
        return [entry for entry in entries if {CONF_DEVICE, CONF_ID, CONF_PASSWORD} <= entry.data.keys()]

    def _entries_to_take_over(self) -> list[ConfigEntry[Any]]:
        taken = {entry.data[CONF_ID] for entry in self._entries()}
        return [entry for entry in self._core_entries() if _mended(entry.data[CONF_ID]) not in taken]

    def _ports_of_core(self) -> list[str]:
        """Return the ports that it uses, but for the one that is taken over."""
        return [
            entry.data[CONF_DEVICE]
            for entry in self._core_entries()
            if not entry.disabled_by and entry.entry_id != self._core_entry_id
        ]


def _mended(typed: str) -> str | None:
    try:
        return parse_id(typed)
    except MalformedIdError:
        return None
