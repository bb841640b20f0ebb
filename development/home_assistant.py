"""A Home Assistant process, and what a user's browser would ask of it.

Commands go over its REST and WebSocket interfaces, as those of its own frontend do. Waiting always means waiting for an
event or an answer, with a deadline; a deadline that passes and a process that dies are told with the end of its log.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
import json
import os
from pathlib import Path
import re
import signal
import sys
from types import TracebackType
from typing import Self

import aiohttp

from .child_process import LOCALHOST, ChildProcess
from .config import environment
from .websocket import Connection, Events, Json, RefusedError, Value

# The first start after an installation compiles; the others take seconds.
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 30.0
# How often a starting Home Assistant is asked whether it answers and records yet.
START_POLL_S = 0.1
LOG_TAIL_LINES = 30

CONFIG_FLOWS = "/api/config/config_entries/flow"
OPTIONS_FLOWS = "/api/config/config_entries/options/flow"
FIX_FLOWS = "/api/repairs/issues/fix"

# What Home Assistant exits with when a restart was asked for.
RESTART_EXIT_CODE = 100


class HomeAssistantEndedError(Exception):
    """Home Assistant has ended, or cannot be talked to any more; the message has the end of its log."""


class HomeAssistant:
    """A Home Assistant that runs as long as the ``async with`` block around it.

    It is RUNNING, and its owner is logged in, when the block is entered. The access token lasts half an hour.
    """

    def __init__(
        self,
        hass: Path,
        folder: Path,
        port: int,
        *,
        username: str = "dev",
        password: str = "dev",  # noqa: S107 - the account of a throw-away server on the loopback interface
        language: str = "en",
        terminal: bool = False,
    ) -> None:
        """Prepare to run Home Assistant; nothing is started yet.

        Args:
            hass: the executable, of whichever version.
            folder: the configuration folder, as ``write_config`` leaves it.
            port: the one that this configuration names.
            username: the owner's account, which is made when there is none.
            password: of this account.
            language: that the default areas are named in.
            terminal: whether the log goes to the terminal, and not to ``console.log`` in the folder.
        """
        self._hass = hass
        self.folder = folder
        self.address = f"http://{LOCALHOST}:{port}"
        self._credentials = {"username": username, "password": password}
        self._client = {"client_id": f"{self.address}/"}
        self._language = language
        self._console = None if terminal else folder / "console.log"
        self._process: ChildProcess | None = None
        self._session: aiohttp.ClientSession | None = None
        self._token = ""

    async def __aenter__(self) -> Self:
        """Start Home Assistant and log the owner in."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop Home Assistant."""
        await self.stop()

    async def start(self) -> None:
        """Start Home Assistant, make the owner's account if there is none, log in, and wait until it runs and records.

        Raises:
            HomeAssistantEndedError: it ended instead.
            RefusedError: the account is there and has another password.
            TimeoutError: it is still starting after two minutes.
        """
        # What it may need is installed already: it shall not change its environment, which it would do whenever a
        # version is not the one that it knows.
        command: list[str | Path] = [self._hass, "--config", self.folder, "--skip-pip"]
        if not (self._console is None and sys.stderr.isatty()):
            command.append("--log-no-color")
        if self._console is None:
            self._process = await ChildProcess.start(*command, folder=self.folder, environment=environment(self.folder))
        else:
            with self._console.open("ab") as console:
                self._process = await ChildProcess.start(
                    *command,
                    folder=self.folder,
                    environment=environment(self.folder),
                    stdout=console,
                    stderr=asyncio.subprocess.STDOUT,
                )
        try:
            self._session = aiohttp.ClientSession(self.address)
            async with self._deadline(START_TIMEOUT_S, "start"):
                await self._until_it_answers()
                await self._log_in()
                await self._until_running()
                await self._until_recording()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> int:
        """Ask Home Assistant to end, kill it if it has not after half a minute, and return its exit code.

        The code is 0 when it went as asked and -9 when it had to be killed. Asked again, it just returns the same.
        """
        if self._session is not None:
            await self._session.close()
        return await self.process.stop(STOP_TIMEOUT_S)

    async def kill(self) -> None:
        """Let Home Assistant end at once, as a power cut would."""
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await self.stop()

    @property
    def process(self) -> ChildProcess:
        """The process of Home Assistant, once started."""
        if self._process is None:
            raise ValueError("Home Assistant has not been started")
        return self._process

    def log_lines(self) -> list[str]:
        """Return all that Home Assistant has logged or printed since the folder was made."""
        log = self._console or self.folder / "home-assistant.log"
        return log.read_text(errors="replace").splitlines() if log.exists() else []

    def complaints(self) -> list[str]:
        """Return the warnings, errors and tracebacks in the log, but for what comes of running this way."""
        complaint = re.compile(r"^Traceback |^\S+ \S+ (WARNING|ERROR|CRITICAL) ")
        expected = ("We found a custom integration broute", "Skipping pip installation")
        return [
            line for line in self.log_lines() if complaint.search(line) and not any(text in line for text in expected)
        ]

    async def command(self, command: str, **fields: Value) -> Value:
        """Send one command of the WebSocket interface and return its result."""
        async with self._deadline(ANSWER_TIMEOUT_S, f"answer {command}"), self._connection() as connection:
            return await connection.command(command, **fields)

    async def get(self, path: str) -> Value:
        """Get a resource of the REST interface."""
        return await self._request("GET", path)

    async def post(self, path: str, body: Json | None = None) -> Value:
        """Post to a resource of the REST interface."""
        return await self._request("POST", path, json=body or {})

    @asynccontextmanager
    async def events(self, event_type: str) -> AsyncIterator[Events]:
        """Subscribe to the events of one type; none that comes after the block was entered is missed."""
        async with self._connection() as connection:
            await connection.command("subscribe_events", event_type=event_type)
            yield Events(connection)

    async def states(self) -> list[Json]:
        """Return the state of every entity."""
        states: list[Json] = await self.get("/api/states")
        return states

    async def state(self, entity_id: str) -> Json | None:
        """Return the state of one entity, or ``None`` if it has none."""
        return next((state for state in await self.states() if state["entity_id"] == entity_id), None)

    async def wait_for_state(
        self, entity_id: str, predicate: Callable[[Json | None], bool], timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Json | None:
        """Wait until an entity's state satisfies ``predicate``, and return it; ``None`` stands for no state at all."""
        async with (
            self._deadline(timeout_s, f"bring {entity_id} to the state waited for"),
            self.events("state_changed") as changes,
        ):
            state = await self.state(entity_id)
            while not predicate(state):
                change = await changes.next()
                if change["entity_id"] == entity_id:
                    state = change["new_state"]
            return state

    async def flow_handlers(self) -> list[str]:
        """Return the domains that can be added through the user interface."""
        handlers: list[str] = await self.get("/api/config/config_entries/flow_handlers")
        return handlers

    async def start_flow(self, handler: str) -> Json:
        """Begin to add an integration, and return the first step."""
        step: Json = await self.post(CONFIG_FLOWS, {"handler": handler})
        return step

    async def start_reconfiguration(self, entry: Json) -> Json:
        """Begin to change an entry, and return the first step."""
        step: Json = await self.post(CONFIG_FLOWS, {"handler": entry["domain"], "entry_id": entry["entry_id"]})
        return step

    async def start_fix(self, issue: Json) -> Json:
        """Begin to fix what a repair issue is about, and return the first step."""
        step: Json = await self.post(FIX_FLOWS, {"handler": issue["domain"], "issue_id": issue["issue_id"]})
        return step

    async def configure_flow(self, flow_id: str, data: Json, flows: str = CONFIG_FLOWS) -> Json:
        """Submit a step's form, and return the next step, which may be a progress step."""
        step: Json = await self.post(f"{flows}/{flow_id}", data)
        return step

    async def flow_step(self, flow_id: str, flows: str = CONFIG_FLOWS) -> Json:
        """Return the step that a flow is at."""
        step: Json = await self.get(f"{flows}/{flow_id}")
        return step

    async def wait_flow_step(self, step: Json, timeout_s: float = ANSWER_TIMEOUT_S, flows: str = CONFIG_FLOWS) -> Json:
        """Follow progress steps, and return the first step that is none."""
        flow_id = step["flow_id"]
        async with (
            self._deadline(timeout_s, f"get past the step {step.get('step_id')}"),
            self.events("data_entry_flow_progressed") as changes,
        ):
            while step["type"] in {"progress", "progress_done"}:
                # Asked for before the first event is waited for: it may have been there before the subscription.
                step = await self.flow_step(flow_id, flows)
                if step["type"] == "progress":
                    while (await changes.next())["flow_id"] != flow_id:
                        pass
            return step

    async def wait_for_flow(self, domain: str, source: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Json:
        """Wait for a flow that Home Assistant has begun by itself, from this source, and return the step it is at."""
        async with (
            self._deadline(timeout_s, f"begin a flow of {domain} from {source}"),
            self._connection() as connection,
        ):
            await connection.command("config_entries/flow/subscribe")
            while True:
                for flow in await self.command("config_entries/flow/progress"):
                    if (flow["handler"], flow["context"]["source"]) == (domain, source):
                        return await self.flow_step(flow["flow_id"])
                await connection.receive()

    async def issues(self, domain: str) -> list[Json]:
        """Return the repair issues of one integration."""
        listed = await self.command("repairs/list_issues")
        return [issue for issue in listed["issues"] if issue["domain"] == domain]

    async def wait_for_issues(
        self, domain: str, predicate: Callable[[list[Json]], bool], timeout_s: float = ANSWER_TIMEOUT_S
    ) -> list[Json]:
        """Wait until the repair issues of one integration satisfy ``predicate``, and return them."""
        async with (
            self._deadline(timeout_s, f"have the issues of {domain} waited for"),
            self.events("repairs_issue_registry_updated") as changes,
        ):
            while not predicate(issues := await self.issues(domain)):
                await changes.next()
            return issues

    async def texts(self, domain: str, category: str, language: str) -> dict[str, str]:
        """Return the texts of one integration that the frontend shows, by their keys in the translations.

        Args:
            domain: of the integration.
            category: what they are about, as ``issues``.
            language: "en" or "ja".
        """
        answer = await self.command(
            "frontend/get_translations", language=language, category=category, integration=[domain]
        )
        prefix = f"component.{domain}.{category}."
        return {key.removeprefix(prefix): text for key, text in answer["resources"].items()}

    async def diagnostics(self, entry_id: str) -> Json:
        """Download the diagnostics of an entry."""
        diagnostics: Json = await self.get(f"/api/diagnostics/config_entry/{entry_id}")
        return diagnostics

    async def system_health(self, domain: str) -> Json:
        """Return what the system's health page shows of one integration."""
        async with (
            self._deadline(ANSWER_TIMEOUT_S, f"tell the system's health of {domain}"),
            self._connection() as connection,
        ):
            await connection.command("system_health/info")
            while True:
                message = await connection.receive()
                if message["type"] == "event" and message["event"]["type"] == "initial":
                    health: Json = message["event"]["data"][domain]
                    return health

    async def entries(self, domain: str) -> list[Json]:
        """Return the config entries of one integration."""
        entries: list[Json] = await self.get(f"/api/config/config_entries/entry?domain={domain}")
        return entries

    async def reload_entry(self, entry_id: str) -> None:
        """Unload an entry and set it up again."""
        await self.post(f"/api/config/config_entries/entry/{entry_id}/reload")

    async def disable_entry(self, entry_id: str) -> None:
        """Unload an entry and keep it so."""
        await self.command("config_entries/disable", entry_id=entry_id, disabled_by="user")

    async def enable_entry(self, entry_id: str) -> None:
        """Set up an entry that was disabled."""
        await self.command("config_entries/disable", entry_id=entry_id, disabled_by=None)

    async def delete_entry(self, entry_id: str) -> None:
        """Unload an entry and remove it for good."""
        await self._request("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    async def set_options(self, entry_id: str, options: Json) -> None:
        """Fill in the only form of an entry's options; a section of it that is not named is sent empty.

        Raises:
            RefusedError: one of the options is wrong.
        """
        step = await self.post(OPTIONS_FLOWS, {"handler": entry_id})
        sections: Json = {field["name"]: {} for field in step["data_schema"] if field.get("type") == "expandable"}
        await self.configure_flow(step["flow_id"], sections | options, OPTIONS_FLOWS)

    async def call_action(self, domain: str, action: str, timeout_s: float = ANSWER_TIMEOUT_S, **data: Value) -> Json:
        """Call an action, and return its response.

        Raises:
            RefusedError: the action has failed.
        """
        async with self._deadline(timeout_s, f"carry out {domain}.{action}"), self._connection() as connection:
            done = await connection.command(
                "call_service", domain=domain, service=action, service_data=data, return_response=True
            )
        response: Json = done["response"]
        return response

    async def entity_ids(self, domain: str) -> dict[str, str]:
        """Return the entity ids of one integration by unique id; disabled entities are among them."""
        registered = await self.command("config/entity_registry/list")
        return {entity["unique_id"]: entity["entity_id"] for entity in registered if entity["platform"] == domain}

    async def wait_for_entities(
        self, domain: str, predicate: Callable[[dict[str, str]], bool], timeout_s: float = ANSWER_TIMEOUT_S
    ) -> dict[str, str]:
        """Wait until the entity ids of one integration, by unique id, satisfy ``predicate``, and return them."""
        async with (
            self._deadline(timeout_s, f"add the entities of {domain} waited for"),
            self.events("entity_registry_updated") as changes,
        ):
            while not predicate(entity_ids := await self.entity_ids(domain)):
                await changes.next()
            return entity_ids

    async def save_energy_preferences(self, preferences: Json) -> None:
        """Set up the Energy dashboard; what ``preferences`` does not name stays as it is."""
        await self.command("energy/save_prefs", **preferences)

    async def validate_energy(self) -> Json:
        """Return what the Energy dashboard has to complain about: a list per kind of source, empty when all is well."""
        complaints: Json = await self.command("energy/validate")
        return complaints

    @asynccontextmanager
    async def _deadline(self, timeout_s: float, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as error:
            raise TimeoutError(f"Home Assistant did not {what} within {timeout_s:g} s{self._log_tail()}") from error
        except aiohttp.ClientError as error:
            raise HomeAssistantEndedError(f"Home Assistant did not {what}: {error}{self._log_tail()}") from error

    def _log_tail(self) -> str:
        return (
            "" if self._console is None else "\n".join(["; the end of its log:", *self.log_lines()[-LOG_TAIL_LINES:]])
        )

    async def _until_it_answers(self) -> None:
        # Home Assistant listens as soon as its frontend is set up, which is after onboarding and the log-in.
        while True:
            if (code := self.process.exit_code) is not None:
                raise HomeAssistantEndedError(f"Home Assistant ended with exit code {code}{self._log_tail()}")
            try:
                async with self._http.get("/auth/providers"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(START_POLL_S)

    async def _until_running(self) -> None:
        async with self.events("homeassistant_started") as started:
            if (await self.get("/api/config"))["state"] != "RUNNING":
                await started.next()

    async def _until_recording(self) -> None:
        # The recorder begins with what has gathered until RUNNING, and overlooks that it is to stop where that is among
        # it: Home Assistant would then wait a minute for it to end.
        while True:
            if not (await self.command("recorder/info"))["backlog"]:
                return
            await asyncio.sleep(START_POLL_S)

    async def _log_in(self) -> None:
        if await self._has_no_owner():
            owner = self._credentials | self._client | {"name": "Developer", "language": self._language}
            code = (await self.post("/api/onboarding/users", owner))["auth_code"]
        else:
            where = {"handler": ["homeassistant", None], "redirect_uri": f"{self.address}/"}
            flow = await self.post("/auth/login_flow", where | self._client)
            answer = await self.post(f"/auth/login_flow/{flow['flow_id']}", self._credentials | self._client)
            if "result" not in answer:
                raise RefusedError(f"{self._credentials['username']} has another password in {self.folder}")
            code = answer["result"]
        grant = {"grant_type": "authorization_code", "code": code} | self._client
        self._token = (await self._request("POST", "/auth/token", data=grant))["access_token"]

    async def _has_no_owner(self) -> bool:
        # Once everything is done, Home Assistant does not offer the resource any more.
        async with self._http.get("/api/onboarding") as response:
            if response.status == HTTPStatus.NOT_FOUND:
                return False
            return any(step["step"] == "user" and not step["done"] for step in await response.json())

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ValueError("Home Assistant has not been started")
        return self._session

    async def _request(self, method: str, path: str, **body: Value) -> Value:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with (
            self._deadline(ANSWER_TIMEOUT_S, f"answer {method} {path}"),
            self._http.request(method, path, headers=headers, **body) as response,
        ):
            text = await response.text()
            if not response.ok:
                reason = self._log_tail() if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
                raise RefusedError(f"{method} {path}: {response.status} {text}{reason}")
            return json.loads(text) if text else None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        # Any size: the list of all entities comes in one message.
        async with self._http.ws_connect("/api/websocket", max_msg_size=0) as socket:
            connection = Connection(socket)
            await connection.authenticate(self._token)
            yield connection
