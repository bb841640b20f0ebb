"""What can go wrong, one class for each thing that the caller can do something about.

No message names an ID, a password, a serial number or an address: all of them may be logged and shown.
"""


class BrouteError(Exception):
    """Anything that this library reports: catch this to catch all of it."""


class MalformedCredentialsError(BrouteError, ValueError):
    """The B-route ID or the password cannot be what the utility's letter says."""


class MalformedIdError(MalformedCredentialsError):
    """The B-route ID is not 32 letters and digits."""


class MalformedPasswordError(MalformedCredentialsError):
    """The password is not 12 letters and digits."""


class PortError(BrouteError):
    """The port cannot be opened, or was lost while it was in use."""


class PortMissingError(PortError):
    """There is no such port, or nothing listens at its address."""


class PortBusyError(PortError):
    """Another program holds the port."""


class PortSharedError(PortError):
    """The port is open, but another program seems to read from it or write to it."""


class NotAModuleError(BrouteError):
    """The port was opened, but what is behind it does not answer as a Wi-SUN module."""


class ModuleError(BrouteError):
    """The module refused a command or did not answer it."""


class ModuleSilentError(ModuleError):
    """The module did not answer a command in time."""


class CommandRefusedError(ModuleError):
    """The module answered FAIL (protocol 3.9), or a J11 result (4.4); the subclasses tell the reason."""


class CommandNotSupportedError(CommandRefusedError):
    """FAIL ER04, J11 03: the module does not know the command."""


class WrongArgumentCountError(CommandRefusedError):
    """FAIL ER05, J11 11: too many or too few arguments, typically the wrong dialect."""


class InvalidArgumentError(CommandRefusedError):
    """FAIL ER06, J11 04 and 06: an argument's form or range."""


class SerialInputError(CommandRefusedError):
    """FAIL ER09, J11 13 and F0 to F3: the module could not read what was sent."""


class ExecutionFailedError(CommandRefusedError):
    """FAIL ER10, any other of J11: the command was understood and could not be carried out."""


class NotSentError(ModuleError):
    """The module could not put a datagram on the air (EVENT 21 with 01, a detail of 0008): not the meter's fault."""


class MeterNotFoundError(BrouteError):
    """No meter with this ID was heard in a whole scan: too far away, or a wrong ID."""


class CredentialsRefusedError(BrouteError):
    """The meter was heard and refused to let us in: a wrong ID or password, or a service that has ended."""


class MeterSilentError(BrouteError):
    """The meter does not answer: to the authentication, or to a request and its repeats."""


class NotJoinedError(BrouteError):
    """There is no session with the meter now; it is being set up again in the background."""


class SurveyUnderWayError(BrouteError):
    """A survey was asked for while another one is under way: wait for its end."""


class ClosedError(BrouteError):
    """The session was closed, by the program's own wish."""


class MalformedMemoryError(BrouteError, ValueError):
    """What an earlier program has remembered cannot be used."""


class FrameError(BrouteError):
    """Bytes that are no ECHONET Lite frame, or end too early."""


class PropertyError(BrouteError):
    """A property of an answer cannot be used: its length, its range or its code is wrong."""


class PropertyRefusedError(PropertyError):
    """The meter says that it does not have the property, or cannot give it now."""


class NoSuchDayError(PropertyRefusedError):
    """The meter's log cannot have the day: by the meter's date it is still to come, or more than 99 days back."""


class ValueOverflowError(PropertyError):
    """The meter reports the code for "above the measurable range"."""


class ValueUnderflowError(PropertyError):
    """The meter reports the code for "below the measurable range"."""


class ImplausibleValueError(PropertyError):
    """The meter's value cannot be true, or has nothing to be held against, and a second answer did not confirm it."""
