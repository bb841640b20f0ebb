"""What does not change in a meter: learned by its first reading, read in each session, remembered from an earlier one.

Above: `SmartMeter`. Below: the properties.

No checksum covers what comes from most modules. One changed digit makes another serial number, which is another meter
to whoever keeps its log, a map with a property that there is not, or energies that are wrong tenfold. So of all this
nothing is believed that was told once: it is what was known of this meter, or it is told twice. In everyday life that
costs each session one request for the scale and one for the rest.
"""

from collections.abc import Mapping
from dataclasses import replace
import logging
from typing import Any

from .echonet import smart_meter, super_class
from .echonet.super_class import StandardVersion
from .echonet.values import PropertyCodec
from .exceptions import ImplausibleValueError, PropertyError
from .plausibility import Plausibility
from .properties import Answers, PropertyReader
from .readings import Constants, Scale

_LOGGER = logging.getLogger(__name__)

SCALE = (smart_meter.EFFECTIVE_DIGITS.epc, smart_meter.ENERGY_UNIT.epc, smart_meter.COEFFICIENT.epc)
"""What a `Scale` is made of."""
MANDATORY = frozenset(
    {
        super_class.STANDARD_VERSION.epc,
        super_class.MANUFACTURER_CODE.epc,
        super_class.ANNOUNCEMENT_MAP.epc,
        super_class.SET_MAP.epc,
        super_class.GET_MAP.epc,
        smart_meter.EFFECTIVE_DIGITS.epc,
        smart_meter.NORMAL_ENERGY.epc,
        smart_meter.ENERGY_UNIT.epc,
        smart_meter.POWER.epc,
        smart_meter.CURRENTS.epc,
    }
)
"""What every meter gives (protocol 2.2), for as long as its Get map is not known."""
_FIELDS: Mapping[str, PropertyCodec[Any]] = {
    "standard_version": super_class.STANDARD_VERSION,
    "announcement_map": super_class.ANNOUNCEMENT_MAP,
    "set_map": super_class.SET_MAP,
    "get_map": super_class.GET_MAP,
    "manufacturer_code": super_class.MANUFACTURER_CODE,
    "serial_number": super_class.SERIAL_NUMBER,
}
"""What is read of a meter, by its name in `Constants`."""
_MAPS = ("announcement_map", "set_map", "get_map")
READINGS = 3
"""Among so many two are the same, unless more is spoilt than comes through."""


class Description:
    """What is known of one meter. `constants`: what an earlier run has left."""

    def __init__(self, properties: PropertyReader, plausibility: Plausibility, constants: Constants | None) -> None:
        self.constants = constants
        """`None` before `read()`."""
        self.scale = constants.scale if constants else None
        """May be known before the constants are."""
        self.scale_is_certain = False
        """Whether the meter has told it in this session."""
        self.mac = constants.mac if constants else None
        """The meter that all of this is about; `None` while it is not known."""
        self.is_current = False
        """Whether the constants were read since the meter was joined."""
        self._scales_told: set[Scale] = set()
        """In this session."""
        self._was_asked = False
        self._properties = properties
        self._plausibility = plausibility

    def meet(self, mac: bytes) -> bool:
        """Begin a session with a meter; return whether it is another one, so that nothing is known any more."""
        self.is_current = False
        self.scale_is_certain = False
        self._scales_told.clear()
        self._was_asked = False
        is_another = self.mac not in {None, mac}
        self.mac = mac
        if is_another:
            self.constants = None
            self.scale = None
            self._properties.forget(MANDATORY)
        return is_another

    async def read(self) -> Constants:
        """Read the constants; what was known before is verified by this.

        Raises:
            PropertyError: the meter does not give what every meter must give, or gives it differently each time.
            BrouteError: the meter was not asked, or did not answer.
        """
        fields = await self._read_fields()
        scale = await self.verify_scale(get_map=fields["get_map"])
        self.constants = Constants(
            mac=self.mac or b"", scale=scale, max_properties=self._properties.max_properties, **fields
        )
        self.is_current = True
        return self.constants

    async def _read_fields(self) -> dict[str, Any]:
        """Read all but the scale, and again what differs from what was known; the first time ever that is all."""
        known = {name: getattr(self.constants, name) for name in _FIELDS} if self.constants else {}
        told = {name: [known[name]] if known else [] for name in _FIELDS}
        believed: dict[str, Any] = {}
        for _ in range(READINGS):
            if not (asked := [name for name in _FIELDS if name not in believed]):
                break
            answers = await self._properties.get([_FIELDS[name].epc for name in asked])
            for name in asked:
                value = answers.value(_FIELDS[name])
                if isinstance(value, StandardVersion):
                    value = str(value)
                if value in told[name]:
                    believed[name] = value
                told[name].append(value)
            # What a map names may only have been too much at once: from now on it is asked for again.
            self._properties.readable |= answers.value(super_class.GET_MAP) or frozenset()
        for name in _MAPS:
            if name not in believed:
                raise ImplausibleValueError(f"{_FIELDS[name]}: the meter gives it differently each time")
            believed[name] = believed[name] or frozenset()
        if not believed["get_map"]:
            raise PropertyError(f"{super_class.GET_MAP}: the meter does not give it")
        return dict.fromkeys(_FIELDS) | known | believed

    # The scale, without which there is no energy.

    def asks_for_scale(self) -> bool:
        """Tell, once before each reading, whether it has to ask for the scale.

        While there is none, it has. After that the first reading of a session takes one request; `read()` is expected
        to verify the scale before the second one, which does it itself if need be.
        """
        is_due = self.scale is None or (self._was_asked and not self.scale_is_certain)
        self._was_asked = True
        return is_due

    def learn_scale(self, answers: Answers) -> Scale | None:
        """Take the scale from a reading that asked for it; return the one by which its counters are to be judged."""
        # A coefficient that is missing in the first one may be absent, which the map will prove, see `proof_of_scale`.
        seems_absent = self.scale is None and not answers.has_data(smart_meter.COEFFICIENT.epc)
        try:
            told = self.take_scale(answers, frozenset() if seems_absent else None)
        except PropertyError as err:
            _LOGGER.debug("The scale is not known: %s", err)
            return self.scale
        return self.scale or told

    @property
    def proof_of_scale(self) -> tuple[int, ...]:
        """What is asked for to be certain of the scale: its parts, and what a meter gives, while that is not known.

        Without a map nobody knows whether a coefficient is absent or was too much at once.
        """
        return SCALE if self.constants else (*SCALE, super_class.GET_MAP.epc)

    def take_scale(self, answers: Answers, get_map: frozenset[int] | None = None) -> Scale:
        """Return the scale that an answer tells, and believe it if it is as it was or was told before.

        `get_map`: what the meter gives, where neither the constants nor the answer are to say it.

        Raises:
            PropertyError: it cannot be read.
        """
        if get_map is None:
            get_map = frozenset(SCALE)
            if self.constants:
                get_map = self.constants.get_map
            elif answers.has_data(super_class.GET_MAP.epc):
                get_map = answers.value(super_class.GET_MAP) or get_map
        told = _scale_of(answers, get_map)
        if told == self.scale or told in self._scales_told:
            self._believe(told)
        self._scales_told.add(told)
        return told

    async def verify_scale(self, answers: Answers | None = None, *, get_map: frozenset[int] | None = None) -> Scale:
        """Return the scale when it is certain, which mostly one answer makes it; see `take_scale`.

        The coefficient is asked for whatever the map says: a digit of the map may be spoilt as well. `answers`: the
        first one, if the meter has been asked already.

        Raises:
            PropertyError: the meter does not give it, or gives it differently each time.
            BrouteError: the meter was not asked, or did not answer.
        """
        failure: PropertyError = ImplausibleValueError(
            "The meter gives its unit, digits and coefficient differently each time"
        )
        for _ in range(READINGS):
            if self.scale_is_certain:
                break
            answers = answers or await self._properties.get(SCALE if get_map else self.proof_of_scale)
            try:
                self.take_scale(answers, get_map)
            except PropertyError as err:
                failure = err
            answers = None
        if self.scale is None or not self.scale_is_certain:
            raise failure
        return self.scale

    def _believe(self, scale: Scale) -> None:
        if self.scale not in {None, scale}:
            _LOGGER.warning("The meter counts otherwise than it did: its energies begin anew")
            self._plausibility.believed.clear()
            self.constants = replace(self.constants, scale=scale) if self.constants else None
        self.scale = scale
        self.scale_is_certain = True


def _scale_of(answers: Answers, get_map: frozenset[int]) -> Scale:
    coefficient = 1
    if smart_meter.COEFFICIENT.epc in get_map or answers.has_data(smart_meter.COEFFICIENT.epc):
        # Some meters without a coefficient say 0 (seen in the field): no counter is meant to be multiplied by it.
        coefficient = answers.required(smart_meter.COEFFICIENT) or 1
    return Scale(
        unit_kwh=answers.required(smart_meter.ENERGY_UNIT),
        coefficient=coefficient,
        effective_digits=answers.required(smart_meter.EFFECTIVE_DIGITS),
    )
