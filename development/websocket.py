"""Home Assistant's WebSocket interface."""

import json
from typing import Any

import aiohttp

type Json = dict[str, Any]
# Whatever JSON a command takes or answers with.
type Value = Any


class RefusedError(Exception):
    """Home Assistant has understood a command and refused it; the message says why."""


class Connection:
    """One connection of the WebSocket interface; one command at a time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0

    async def authenticate(self, token: str) -> None:
        """Show the access token, with which every connection begins."""
        await self._socket.send_json({"type": "auth", "access_token": token})
        while (message := await self.receive())["type"] != "auth_ok":
            if message["type"] == "auth_invalid":
                raise RefusedError(message["message"])

    async def command(self, command: str, **fields: Value) -> Value:
        """Send a command and return its result."""
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "type": command, **fields})
        while (message := await self.receive())["type"] != "result" or message["id"] != self._last_id:
            pass
        if not message["success"]:
            raise RefusedError(f"{command}: {message['error']['code']}: {message['error']['message']}")
        return message["result"]

    async def receive(self) -> Json:
        """Return the next message.

        Raises:
            aiohttp.ClientConnectionError: there will be none.
        """
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientConnectionError("the connection was closed")
        content: Json = json.loads(message.data)
        return content


class Events:
    """The events that a connection has subscribed to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def next(self) -> Json:
        """Wait for the next event and return its data."""
        while (message := await self._connection.receive())["type"] != "event":
            pass
        data: Json = message["event"]["data"]
        return data
