"""The two devices: the module, and the meter that is reached through it."""

from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.broute.const import CONF_METER, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import OKINAWA, SimulatedHome

from .world import TOKEN, Ports, follow, set_up, start_flow, submit, until, value


def device(hass: HomeAssistant, entry: BrouteConfigEntry, identifier: str) -> dr.DeviceEntry:
    """Return the only device of an entry with this identifier."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    (found,) = [device for device in devices if device.identifiers == {(DOMAIN, identifier)}]
    return found


def meter(hass: HomeAssistant, entry: BrouteConfigEntry) -> dr.DeviceEntry:
    return device(hass, entry, TOKEN)


def module(hass: HomeAssistant, entry: BrouteConfigEntry) -> dr.DeviceEntry:
    return device(hass, entry, f"{TOKEN}_module")


async def test_meter_says_what_it_is(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    found = meter(hass, entry)
    assert found.name == "B-Route Smart Meter"
    assert found.manufacturer == "Toshiba"
    assert found.model == "Low-voltage smart electric energy meter"
    assert found.serial_number == "AB12C34567"
    assert found.sw_version == "Release F"
    assert found.hw_version is None


async def test_meter_keeps_what_is_known_of_it_while_it_is_out_of_reach(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    home.meter.pan.powered = False
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    found = meter(hass, entry)
    assert found.manufacturer == "Toshiba"
    assert found.serial_number == "AB12C34567"
    assert found.sw_version == "Release F"


async def test_meter_that_says_less(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    ports.plug_in(model=replace(OKINAWA, manufacturer=b"\xff\xff\xfe"))
    await set_up(hass, entry)
    found = meter(hass, entry)
    assert found.manufacturer is None
    assert found.serial_number is None


@pytest.mark.parametrize(
    ("product", "model", "sw_version"),
    [
        ("BP35A1", "SKSTACK-IP, single stack", "1.2.10 (rev26e)"),
        ("BP35C2", "SKSTACK-IP, dual stack", "1.5.2 (rev26e)"),
        ("RL7023-DSS", "SKSTACK-IP, dual stack", "1.5.2"),
        ("BP35C0-J11", "J11", "1.3.158A (0400)"),
    ],
)
async def test_module_says_what_its_firmware_is(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, *, product: str, model: str, sw_version: str
) -> None:
    ports.plug_in(module=product)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: module(hass, entry).model)
    found = module(hass, entry)
    assert found.name == "Wi-SUN module"
    assert found.model == model
    assert found.sw_version == sw_version
    assert found.manufacturer is None


async def test_module_of_a_meter_that_was_just_added(hass: HomeAssistant, home: SimulatedHome) -> None:
    """The config flow has identified it, and nothing has happened to the link since."""
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    entry: BrouteConfigEntry = step["result"]
    token = entry.data[CONF_METER]
    assert device(hass, entry, f"{token}_module").model == "SKSTACK-IP, dual stack"
    assert value(hass, "link_state", token) == "joined"
    assert value(hass, "connected", token) == "on"


async def test_both_are_there_before_a_port_is(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Nothing is plugged in."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert meter(hass, entry).via_device_id == module(hass, entry).id
    assert module(hass, entry).model is None
    assert module(hass, entry).via_device_id is None


async def test_module_that_was_exchanged_says_what_it_is(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.replace_module("BP35C0-J11")
    await until(lambda: module(hass, entry).model == "J11")
    assert module(hass, entry).sw_version == "1.3.158A (0400)"
    assert meter(hass, entry).via_device_id == module(hass, entry).id
    assert len(dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)) == 2


async def test_each_entity_belongs_to_what_tells_it(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    registry = er.async_get(hass)

    def keys(device: dr.DeviceEntry) -> set[str]:
        entities = er.async_entries_for_device(registry, device.id, include_disabled_entities=True)
        return {entity.unique_id.removeprefix(f"{TOKEN}_") for entity in entities}

    assert keys(module(hass, entry)) == {
        *("connected", "failed_requests", "last_seen", "link_quality", "link_state", "signal_strength"),
    }
    assert keys(meter(hass, entry)) == {
        *("boost", "clock_drift", "current_r", "current_t", "events", "export_energy", "fault"),
        "fixed_export_energy",
        *("fixed_import_energy", "import_energy", "installation_location", "log_until", "operating", "power"),
        *("half_hour_energy", "demand", "demand_forecast"),
    }


async def test_names_in_japanese(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    hass.config.language = "ja"
    await set_up(hass, entry)
    assert meter(hass, entry).name == "Bルート スマートメーター"
    assert module(hass, entry).name == "Wi-SUNモジュール"


async def test_names_in_a_language_that_was_chosen_just_now(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    # Home Assistant loads the texts in a task of its own, and does not wait for them.
    hass.config.language = "ja"
    await hass.config_entries.async_reload(entry.entry_id)
    assert meter(hass, entry).name == "Bルート スマートメーター"


async def test_no_device_tells_an_address(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    text = str([found.dict_repr for found in (meter(hass, entry), module(hass, entry))]).casefold()
    assert home.meter.pan.mac.hex() not in text
    assert home.module.radio.mac.hex() not in text
    assert module(hass, entry).serial_number is None
    assert module(hass, entry).connections == meter(hass, entry).connections == set()
