"""What the command line remembers of a meter from one run to the next: a file of this user alone.

Above: the command line. Below: `Memory`.
"""

import hmac
import json
import logging
import os
from pathlib import Path
import tempfile
from typing import Self

from .credentials import Credentials
from .exceptions import MalformedMemoryError
from .memory import Memory

_LOGGER = logging.getLogger(__name__)

FOLDER = "broute"


class MemoryFile:
    """A file for one B-route ID and password."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, credentials: Credentials) -> Self:
        """Return the file for these credentials, in the user's state directory.

        Its name does not tell the ID: whoever wants to try out IDs needs the password.
        """
        name = hmac.digest(credentials.password.encode(), credentials.route_b_id.encode(), "sha256").hex()
        return cls(_state_directory() / FOLDER / f"{name}.json")

    def load(self) -> Memory | None:
        """Return what was remembered; `None` if that is nothing that can be used.

        Raises:
            OSError: there is a file that cannot be read.
        """
        try:
            return Memory.from_dict(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as err:
            # Of its content nothing is told: it holds addresses.
            _LOGGER.debug("The start is cold: %s", err if isinstance(err, MalformedMemoryError) else "no JSON")
            return None

    def save(self, memory: Memory) -> None:
        """Write it, as a whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        # Made with mode 0600.
        handle, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(memory.as_dict(), file)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink()
            raise


def _state_directory() -> Path:
    """Return `$XDG_STATE_HOME`, which counts only if it is absolute, else `~/.local/state`."""
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    if configured.is_absolute():
        return configured
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError as err:
        raise FileNotFoundError("This user has no home directory") from err
