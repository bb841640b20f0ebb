"""The issues that the user can mend from their own page: each leads to where that is done.

Above: Home Assistant's repairs. Below: the config flow's reconfiguration, and the meter, which can be searched for.
"""

from abc import abstractmethod
import asyncio
from contextlib import suppress
from typing import Any, override

from homeassistant.components.repairs import FlowType, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .aiobroute import BrouteError, Heard
from .const import DOMAIN, SURVEY_DURATION
from .coordinator import BrouteConfigEntry
from .issues import Issue


class _EntryRepairFlow(RepairsFlow):
    """A flow about one entry, which says first what is wrong and what will be done."""

    def __init__(self, entry: BrouteConfigEntry) -> None:
        """Begin with the explanation."""
        self._entry = entry

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Explain, and go on when the user agrees."""
        if user_input is None:
            return self.async_show_form(step_id="confirm", description_placeholders={"name": self._entry.title})
        return await self._go_on()

    @abstractmethod
    async def _go_on(self) -> RepairsFlowResult:
        """Do it."""


class ModuleMissingFlow(_EntryRepairFlow):
    """The module is somewhere else: its port is chosen where it always is."""

    @override
    async def _go_on(self) -> RepairsFlowResult:
        step = await self.hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": self._entry.entry_id}
        )
        return self.async_create_entry(data={}, next_flow=(FlowType.CONFIG_FLOW, step["flow_id"]))


class MeterUnreachableFlow(_EntryRepairFlow):
    """The module has been moved, or the meter may be back: search now, and say what was heard."""

    def __init__(self, entry: BrouteConfigEntry) -> None:
        """Search for nothing yet."""
        super().__init__(entry)
        self._search: asyncio.Task[list[Heard]] | None = None
        self._heard: list[Heard] | None = None
        """What was heard; `None`: the search could not be made."""

    @callback
    @override
    def async_remove(self) -> None:
        """Search no longer when the user has closed the dialog."""
        if self._search:
            self._search.cancel()

    @override
    async def _go_on(self) -> RepairsFlowResult:
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="search_failed")
        return await self.async_step_search()

    async def async_step_search(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Search, while the user watches."""
        if self._search is None:
            self._search = self.hass.async_create_background_task(
                self._entry.runtime_data.meter.survey(SURVEY_DURATION), f"{DOMAIN} search", eager_start=False
            )
        if not self._search.done():
            return self.async_show_progress(step_id="search", progress_action="searching", progress_task=self._search)
        with suppress(BrouteError):
            self._heard = self._search.result()
        return self.async_show_progress_done(next_step_id="result")

    async def async_step_result(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Say what was heard; the meter, if it is among that, is joined by itself."""
        if self._heard is None:
            return self.async_abort(reason="search_failed")
        if any(network.is_ours for network in self._heard):
            return self.async_create_entry(data={})
        return self.async_abort(reason="not_heard", description_placeholders={"others": str(len(self._heard))})


_FLOWS: dict[Issue, type[_EntryRepairFlow]] = {
    Issue.MODULE_MISSING: ModuleMissingFlow,
    Issue.METER_UNREACHABLE: MeterUnreachableFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends an issue."""
    entry = hass.config_entries.async_get_known_entry(str((data or {})["entry_id"]))
    return next(flow for issue, flow in _FLOWS.items() if issue_id.startswith(issue))(entry)
