"""The name that a meter has in Home Assistant."""

import asyncio
import hashlib
from typing import Any

from homeassistant.core import HomeAssistant

from custom_components.broute.identity import STORAGE_KEY, async_unique_id, meter_token
from simulator import ID


async def test_same_meter_has_the_same_name_after_a_restart(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    unique_id = await async_unique_id(hass, ID)
    assert await async_unique_id(hass, ID) == unique_id
    assert await async_unique_id(hass, ID[::-1]) != unique_id
    assert STORAGE_KEY in hass_storage

    del hass.data[STORAGE_KEY]
    assert await async_unique_id(hass, ID) == unique_id


async def test_another_home_assistant_names_the_same_meter_otherwise(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    unique_id = await async_unique_id(hass, ID)
    del hass.data[STORAGE_KEY]
    del hass_storage[STORAGE_KEY]
    assert await async_unique_id(hass, ID) != unique_id


async def test_there_is_one_secret_even_when_two_ask_at_once(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    first, second = await asyncio.gather(async_unique_id(hass, ID), async_unique_id(hass, ID))
    assert first == second


async def test_name_says_nothing_of_the_id(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    unique_id = await async_unique_id(hass, ID)
    assert len(unique_id) == 64
    assert unique_id != hashlib.sha256(ID.encode()).hexdigest()
    assert len(bytes.fromhex(hass_storage[STORAGE_KEY]["data"]["secret"])) == 32
    assert unique_id.startswith(meter_token(unique_id, ()))
    assert len(meter_token(unique_id, ())) == 16
