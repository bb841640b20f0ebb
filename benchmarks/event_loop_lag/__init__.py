"""A component that notes how late the event loop of its Home Assistant calls, for the benchmark of many meters.

It is called 50 times a second and writes down when, how late, and how much time of the processor the process has used
until then. What it costs itself is also there without any meter.
"""

from array import array
import asyncio
from pathlib import Path
import time
from typing import Final

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers.typing import ConfigType

INTERVAL_S: Final = 0.02
FILE: Final = "event_loop_lag.bin"
"""In the configuration folder: the doubles at, lag and processor's time, all in s, over and over."""


class Sampler:
    """Is called again and again by the event loop, and notes how late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to note."""
        self.samples = array("d")
        self._loop = loop
        self._wait()

    def _wait(self) -> None:
        # The loop's clock is the machine's monotonic clock.
        self._due_s = self._loop.time() + INTERVAL_S
        self._timer = self._loop.call_at(self._due_s, self._sample)

    def _sample(self) -> None:
        now_s = self._loop.time()
        self.samples.extend((now_s, now_s - self._due_s, time.process_time()))
        self._wait()

    def stop(self) -> None:
        """Note no more."""
        self._timer.cancel()


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Begin to note; write it down when Home Assistant stops."""
    sampler = Sampler(hass.loop)

    async def write(_: Event) -> None:
        sampler.stop()
        await hass.async_add_executor_job(Path(hass.config.path(FILE)).write_bytes, sampler.samples.tobytes())

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, write)
    return True
