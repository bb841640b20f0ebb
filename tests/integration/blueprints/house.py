"""A house with appliances that Home Assistant switches, and the automations in it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeassistant.components.automation import EVENT_AUTOMATION_TRIGGERED
from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, EVENT_STATE_CHANGED, SERVICE_RELOAD
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import dump

from simulator import ScriptedLoad, SimulatedHome

HELPERS = {
    "input_boolean": dict.fromkeys(("heater", "boiler", "fan", "on_by_surplus")),
    "input_text": {"shed": None},
}
"""Appliances, and what automations remember; all of it is restored after a restart."""
MEMORY = "input_text.shed"


def say(message: str) -> dict[str, Any]:
    """Return the action that leaves a message where a test finds it: in `House.told`."""
    return {"action": "persistent_notification.create", "data": {"message": message}}


@dataclass
class House:
    """A house; its load is what it takes by itself, and what its appliances take that are on.

    Attributes:
        watts: what each appliance takes, by entity.
        switched: what was switched: when, the entity, and its state.
        fired: when automations have fired.
    """

    hass: HomeAssistant
    home: SimulatedHome
    load: ScriptedLoad
    watts: dict[str, int] = field(default_factory=dict)
    switched: list[tuple[datetime, str, str]] = field(default_factory=list)
    fired: list[datetime] = field(default_factory=list)
    _base_w: int = 0

    def __post_init__(self) -> None:
        """Let the load follow the appliances."""
        self.hass.bus.async_listen(EVENT_STATE_CHANGED, self._follow)
        self.hass.bus.async_listen(EVENT_AUTOMATION_TRIGGERED, self._note)

    @property
    def now(self) -> datetime:
        """The time."""
        return self.home.clock.now()

    @property
    def names(self) -> list[str]:
        """What was switched, in order."""
        return [f"{entity_id.partition('.')[2]} {state}" for _, entity_id, state in self.switched]

    @property
    def told(self) -> list[str]:
        """What the notifications say, in order."""
        return [one["message"] for one in self.hass.data.get("persistent_notification", {}).values()]

    def take(self, base_w: int) -> datetime:
        """Take so much beside the appliances from now on, negative = give, and return the time."""
        self._base_w = base_w
        self._step()
        return self.now

    async def begin(self) -> None:
        """Set up the helpers."""
        for domain, helpers in HELPERS.items():
            assert await async_setup_component(self.hass, domain, {domain: helpers})
        await self.hass.async_block_till_done()

    async def switch(self, entity_id: str, *, on: bool) -> None:
        """Switch an appliance by hand."""
        service = "turn_on" if on else "turn_off"
        await self.hass.services.async_call("homeassistant", service, {"entity_id": entity_id}, blocking=True)

    async def lose(self, entity_id: str, for_s: float) -> None:
        """Let an appliance be out of reach for a while, as it is before and after."""
        state = self.hass.states.get(entity_id)
        assert state
        self.hass.states.async_set(entity_id, "unavailable")
        await asyncio.sleep(for_s)
        self.hass.states.async_set(entity_id, state.state)

    def break_down(self, *entity_ids: str) -> set[str]:
        """Let appliances raise when they are switched on, and stay off; return those that are still to do so."""
        broken = set(entity_ids)

        async def turn_on(call: ServiceCall) -> None:
            for entity_id in call.data["entity_id"]:
                if entity_id in broken:
                    raise HomeAssistantError("No answer")
                self.hass.states.async_set(entity_id, "on")

        self.hass.services.async_register("input_boolean", "turn_on", turn_on)
        return broken

    async def automate(self, blueprint: str, **inputs: Any) -> None:
        """Make an automation from a blueprint, or make it anew."""
        used = {"path": f"broute/{blueprint}.yaml", "input": inputs}
        await self.automate_as({"alias": blueprint, "use_blueprint": used})

    async def automate_as(self, config: dict[str, Any]) -> None:
        """Make an automation, in place of any other."""
        automations = [{"id": "automation", **config}]
        self._write(automations)
        if AUTOMATION in self.hass.config.components:
            await self.hass.services.async_call(AUTOMATION, SERVICE_RELOAD, blocking=True)
        else:
            assert await async_setup_component(self.hass, AUTOMATION, {AUTOMATION: automations})
        (state,) = self.hass.states.async_all(AUTOMATION)
        assert state.state == "on"

    async def start_with(self, blueprint: str, **inputs: Any) -> None:
        """Let Home Assistant start with an automation, on the states that there are."""
        self.hass.set_state(CoreState.starting)
        await self.automate(blueprint, **inputs)
        self.hass.set_state(CoreState.running)
        self.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)

    async def stop_automations(self) -> None:
        """Have no automations any more, whatever they are doing."""
        if AUTOMATION not in self.hass.config.components:
            return
        self._write([])
        await self.hass.services.async_call(AUTOMATION, SERVICE_RELOAD, blocking=True)

    def since(self, at: datetime) -> list[timedelta]:
        """Return how long after an instant automations have fired."""
        return [fired - at for fired in self.fired if fired >= at]

    def _write(self, automations: list[dict[str, Any]]) -> None:
        (Path(self.hass.config.config_dir) / "configuration.yaml").write_text(dump({AUTOMATION: automations}))

    @callback
    def _follow(self, event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if new is None or new.entity_id not in self.watts or (old and old.state == new.state):
            return
        if old is not None and {old.state, new.state} == {"on", "off"}:
            self.switched.append((self.now, new.entity_id, new.state))
        self._step()

    @callback
    def _note(self, _: Event) -> None:
        self.fired.append(self.now)

    def _step(self) -> None:
        on_w = sum(watts for entity_id, watts in self.watts.items() if self.hass.states.is_state(entity_id, "on"))
        self.load.step(self.now, self._base_w + on_w)
