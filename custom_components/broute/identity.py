"""Who a meter is to Home Assistant.

The B-route ID is a secret, and whoever sees a plain hash of it can try out IDs. So the hash is keyed, with a secret
that this Home Assistant made for itself and shows nobody.
"""

from collections.abc import Container
import hmac
import secrets
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

STORAGE_KEY: Final = f"{DOMAIN}.identity"
STORAGE_VERSION: Final = 1

_SECRET: HassKey[bytes] = HassKey(STORAGE_KEY)
_SECRET_BYTES = 32
_TOKEN_DIGITS = 16


async def async_unique_id(hass: HomeAssistant, route_b_id: str) -> str:
    """Return the unique id of the entry for a meter with this B-route ID."""
    return hmac.digest(await _async_secret(hass), route_b_id.encode(), "sha256").hex()


async def async_credentials_digest(hass: HomeAssistant, route_b_id: str, password: str) -> str:
    """Return what tells this B-route ID with this password from all others."""
    return hmac.digest(await _async_secret(hass), f"{route_b_id} {password}".encode(), "sha256").hex()


def meter_token(unique_id: str, taken: Container[str]) -> str:
    """Return the token of a meter that is added under this unique id, one that is not taken by another.

    It is made once and kept in the entry: the unique id changes when the utility issues a new ID, the token does not.
    So the usual one may still be that of an entry which had this ID before.
    """
    tokens = (unique_id[start : start + _TOKEN_DIGITS] for start in range(len(unique_id) - _TOKEN_DIGITS))
    return next(token for token in tokens if token not in taken)


@singleton(_SECRET, async_=True)
async def _async_secret(hass: HomeAssistant) -> bytes:
    """Return the secret of this Home Assistant, which is made when it is first needed."""
    store = Store[dict[str, str]](hass, STORAGE_VERSION, STORAGE_KEY, private=True, atomic_writes=True)
    stored = await store.async_load()
    if stored is None:
        stored = {"secret": secrets.token_hex(_SECRET_BYTES)}
        await store.async_save(stored)
    return bytes.fromhex(stored["secret"])
