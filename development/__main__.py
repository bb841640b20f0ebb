"""What ``script/develop`` runs, once the environment is there; the options are explained in that file."""

import argparse
import asyncio
import contextlib
from pathlib import Path
import shutil
import signal
import sys

from .child_process import ChildProcess, port_is_free
from .config import CHECKOUT, write_config
from .home_assistant import RESTART_EXIT_CODE, HomeAssistant, HomeAssistantEndedError
from .simulated_meter import MeterEndedError, SimulatedMeter
from .websocket import RefusedError

FOLDER = CHECKOUT / "config"
CONTROL = FOLDER / "control"
"""The simulator's control port."""
USERNAME = "dev"
PASSWORD = "dev"  # noqa: S105 - of a throw-away server on the loopback interface
HISTORY_DAYS = 44
"""How many days of its own log the meter has behind it: as many as are asked for unless the user chooses otherwise."""

WELCOME = """
  Home Assistant   {address}
  log in as        {username}, password {login}

  Settings > Devices & services > Add integration > B-Route Smart Meter:
  device           {port}
  ID               {route_b_id}
  password         {password}

  Its log of {days} days is imported in the quarter of an hour after that, the oldest day first. Settings > Energy > Add
  grid connection offers it as imported and exported energy (meter's log).

  What can go wrong with the meter, while it runs, is told and switched through the Unix socket
  {control}:
  echo '{{"ask": "help"}}' | socat - UNIX-CONNECT:{control}

  Home Assistant's log follows; it is kept in {log}. Ctrl-C stops everything.
"""


def say(text: str) -> None:
    """Tell the developer something; to a terminal that has gone away it is not told."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def chosen_options() -> argparse.Namespace:
    """Read the command line."""
    usage = "script/develop [--fresh] [--language {en,ja}] [--module NAME] [--port PORT]"
    parser = argparse.ArgumentParser(usage=usage, add_help=False)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--language", choices=["en", "ja"], default="en")
    parser.add_argument("--module")
    parser.add_argument("--port", type=int, default=8123)
    return parser.parse_args()


async def first_to_end(*processes: ChildProcess) -> None:
    """Wait until one of these has ended."""
    ends = [asyncio.create_task(process.wait()) for process in processes]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()


async def develop(options: argparse.Namespace) -> int:
    """Run the meter and Home Assistant until one of them ends, and return the exit code."""
    module = ["--module", options.module] if options.module else []
    history = ["--history-days", str(HISTORY_DAYS)]
    async with SimulatedMeter(FOLDER / "meter", "--control", str(CONTROL), *history, *module) as meter:
        while True:
            say("Home Assistant is starting")
            async with HomeAssistant(
                Path(sys.executable).with_name("hass"),
                FOLDER,
                options.port,
                username=USERNAME,
                password=PASSWORD,
                language=options.language,
                terminal=True,
            ) as home_assistant:
                # The server's language does for the entities; this is that of the user interface.
                await home_assistant.command(
                    "frontend/set_user_data", key="language", value={"language": options.language}
                )
                say(
                    WELCOME.format(
                        address=home_assistant.address,
                        username=USERNAME,
                        login=PASSWORD,
                        port=meter.port,
                        route_b_id=meter.route_b_id,
                        password=meter.password,
                        days=HISTORY_DAYS,
                        control=CONTROL,
                        log=FOLDER / "home-assistant.log",
                    )
                )
                await first_to_end(home_assistant.process, meter.process)
                ended_with = home_assistant.process.exit_code
            if ended_with is None:
                say(f"The simulated meter has ended with exit code {meter.process.exit_code}")
                return 1
            if ended_with != RESTART_EXIT_CODE:
                say(f"Home Assistant has ended with exit code {ended_with}")
                return 1


async def develop_until_told_to_stop(options: argparse.Namespace) -> int:
    """Run everything until it ends, Ctrl-C, or the end of the terminal."""
    development = asyncio.create_task(develop(options))

    def stop() -> None:
        # Only once: stopping takes a moment, and is not to be cut short by another Ctrl-C.
        if not development.cancelling():
            development.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await development
    except asyncio.CancelledError:
        say("Stopped")
        return 0


def main() -> int:
    """Run a Home Assistant with this integration and a simulated meter."""
    options = chosen_options()
    if not port_is_free(options.port):
        say(f"Port {options.port} is in use: stop what listens there, or choose another with --port")
        return 1
    try:
        if options.fresh and FOLDER.exists():
            shutil.rmtree(FOLDER)
        write_config(FOLDER, options.port, language=options.language)
        return asyncio.run(develop_until_told_to_stop(options))
    except (HomeAssistantEndedError, MeterEndedError, OSError, RefusedError) as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
