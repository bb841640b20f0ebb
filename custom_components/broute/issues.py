"""What the user has to know and can do something about: an issue for each named cause, gone when it is over.

Above: the coordinator and the watch on the meter's clock, which say how things are. Below: Home Assistant's registry of
issues, shown as repairs; and its reauthentication, for the one cause that wants to be typed.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from .aiobroute import (
    BrouteError,
    ModuleError,
    NotAModuleError,
    Outage,
    PortBusyError,
    PortError,
    PortSharedError,
    SessionState,
    SmartMeter,
)
from .const import CONF_METER, DOMAIN

PORT_TROUBLE_S: Final = 120.0
"""A module that is plugged in again sooner is nobody's business."""
SEARCHES_IN_VAIN: Final = 3
"""Whole ones, each up to the longest scan: one that hears nothing may be bad luck."""
REFUSALS: Final = 3
"""In a row: a meter refuses for seconds after a session, and a refusal may be a bad radio path."""
CLEAR_DBM: Final = -85.0
"""Heard like this, a meter does not refuse because of the radio: the interface specification asks for -88 dBm."""
QUESTION_KEPT_S: Final = 600.0
"""After an attempt that has failed, the meter may be read with what was right before, and the user may still try on."""
TAKEOVERS: Final = 3
TAKEOVERS_SPAN_S: Final = 3600.0
"""So many sessions ended by the meter within this time: it ends one for another controller, seldom for itself."""


class Issue(StrEnum):
    """The causes that are told, named as in the translations. The meter's clock has two texts, fast and slow."""

    MODULE_MISSING = "module_missing"
    PORT_TAKEN = "port_taken"
    METER_UNREACHABLE = "meter_unreachable"
    REFUSED_FROM_AFAR = "refused_from_afar"
    SESSION_TAKEN = "session_taken"
    METER_FAULT = "meter_fault"
    CLOCK_WRONG = "clock_wrong"


FIXABLE: Final = frozenset({Issue.MODULE_MISSING, Issue.METER_UNREACHABLE})
"""Those with a flow in `repairs`."""
_DEFECTS: Final = frozenset({Issue.METER_FAULT, Issue.MODULE_MISSING, Issue.METER_UNREACHABLE})


def explanation(hass: HomeAssistant, issue: Issue) -> str:
    """Return where an issue is explained at length: in Japanese, or in English if Home Assistant is not in Japanese."""
    readme = "README.ja.md" if hass.config.language == "ja" else "README.md"
    return f"{async_get_loaded_integration(hass, DOMAIN).documentation}/blob/main/{readme}#repair-{issue}"


class Issues:
    """The issues of one entry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Tell nothing yet."""
        self._hass = hass
        self._entry = entry

    @callback
    def tell(self, issue: Issue, text: str | None = None, **placeholders: str) -> None:
        """Show an issue, or show it with other words; `text` is its key in the translations, if that is another."""
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._id(issue),
            data={"entry_id": self._entry.entry_id},
            is_fixable=issue in FIXABLE,
            learn_more_url=explanation(self._hass, issue),
            severity=ir.IssueSeverity.ERROR if issue in _DEFECTS else ir.IssueSeverity.WARNING,
            translation_key=text or issue,
            translation_placeholders={"name": self._entry.title} | placeholders,
        )

    @callback
    def withdraw(self, issue: Issue) -> None:
        """Show an issue no longer."""
        ir.async_delete_issue(self._hass, DOMAIN, self._id(issue))

    @callback
    def withdraw_all(self) -> None:
        """Show none: nobody looks after them any more."""
        for issue in Issue:
            self.withdraw(issue)

    def _id(self, issue: Issue) -> str:
        return f"{issue}_{self._entry.data[CONF_METER]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How things are with one meter.

    Attributes:
        failure: why there is no session; `None` while nothing went wrong.
        outage: what was tried since there is none; `None` while there is one.
        port_trouble_s: for how long the port or the module has been what fails.
        takeovers: how many sessions the meter has ended lately.
        faulty: whether the meter says that it has a fault; `None` while that is not known.
    """

    failure: BrouteError | None
    outage: Outage | None
    port_trouble_s: float
    takeovers: int
    faulty: bool | None


def is_port_trouble(failure: BrouteError | None) -> bool:
    """Tell whether it is the port or the module that fails, and not the meter."""
    return isinstance(failure, PortError | ModuleError | NotAModuleError)


def causes_of(situation: Situation) -> dict[Issue, dict[str, str]]:
    """Return the issues that there are in a situation, with the values in their texts."""
    causes: dict[Issue, dict[str, str]] = {}
    outage = situation.outage
    if is_port_trouble(situation.failure):
        if situation.port_trouble_s >= PORT_TROUBLE_S:
            is_taken = isinstance(situation.failure, PortBusyError | PortSharedError)
            causes[Issue.PORT_TAKEN if is_taken else Issue.MODULE_MISSING] = {}
    elif outage and outage.refusals >= REFUSALS:
        if outage.heard_dbm is not None and outage.heard_dbm < CLEAR_DBM:
            causes[Issue.REFUSED_FROM_AFAR] = {"signal": f"{outage.heard_dbm:.0f}"}
    elif outage and outage.searches_in_vain >= SEARCHES_IN_VAIN:
        causes[Issue.METER_UNREACHABLE] = {"searches": str(outage.searches_in_vain)}
    if situation.takeovers >= TAKEOVERS:
        causes[Issue.SESSION_TAKEN] = {}
    if situation.faulty:
        causes[Issue.METER_FAULT] = {}
    return causes


def refuses_credentials(situation: Situation) -> bool:
    """Tell whether the meter is heard well and refuses all the same: only what is typed can help."""
    outage = situation.outage
    return (
        outage is not None
        and not is_port_trouble(situation.failure)
        and outage.refusals >= REFUSALS
        and outage.heard_dbm is not None
        and outage.heard_dbm >= CLEAR_DBM
    )


class IssueWatch:
    """Keeps the issues of one meter as they have to be, whenever it is told to look."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, meter: SmartMeter, issues: Issues) -> None:
        """Look at nothing yet."""
        self._hass = hass
        self._entry = entry
        self._meter = meter
        self._issues = issues
        self._told: set[Issue] = set()
        self._port_trouble_since_s: float | None = None
        self._takeovers: deque[float] = deque(maxlen=TAKEOVERS)
        self._takeovers_seen = 0
        self._asked_to_type = False
        """Whether the user was asked for ID and password in this outage: once is enough."""
        self._joined_since_s: float | None = None

    @callback
    def look(self) -> None:
        """Tell what is new, and withdraw what is over."""
        if self._meter.state is SessionState.CLOSED:
            return
        situation = self._situation()
        causes = causes_of(situation)
        for issue, placeholders in causes.items():
            self._issues.tell(issue, **placeholders)
        for issue in self._told - causes.keys():
            self._issues.withdraw(issue)
        self._told = set(causes)
        if situation.outage is None:
            self._withdraw_question()
            return
        self._joined_since_s = None
        if refuses_credentials(situation) and not self._asked_to_type:
            self._asked_to_type = True
            self._entry.async_start_reauth(self._hass)

    def _withdraw_question(self) -> None:
        """Ask no longer for what has turned out to be right; one who has begun to type may take his time."""
        if self._joined_since_s is None:
            self._joined_since_s = self._hass.loop.time()
        if not self._asked_to_type and self._hass.loop.time() - self._joined_since_s < QUESTION_KEPT_S:
            return
        self._asked_to_type = False
        for flow in list(self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])

    def _situation(self) -> Situation:
        meter, now_s = self._meter, self._hass.loop.time()
        failure, status = meter.failure, meter.status
        if not is_port_trouble(failure):
            self._port_trouble_since_s = None
        elif self._port_trouble_since_s is None:
            self._port_trouble_since_s = now_s
        takeovers = meter.statistics.losses["ended_by_meter"]
        self._takeovers.extend([now_s] * (takeovers - self._takeovers_seen))
        self._takeovers_seen = takeovers
        return Situation(
            failure=failure,
            outage=meter.outage,
            port_trouble_s=0.0 if self._port_trouble_since_s is None else now_s - self._port_trouble_since_s,
            takeovers=sum(now_s - at_s < TAKEOVERS_SPAN_S for at_s in self._takeovers),
            faulty=status.faulty if status else None,
        )
