"""What does not change in a meter: learned by its first reading, read in each session, remembered from an earlier one.

Above: `SmartMeter`. Below: the properties.
"""

import logging

from .echonet import smart_meter, super_class
from .exceptions import BrouteError, ImplausibleValueError, PropertyError
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
_DESCRIPTION = (
    super_class.STANDARD_VERSION.epc,
    super_class.ANNOUNCEMENT_MAP.epc,
    super_class.SET_MAP.epc,
    super_class.GET_MAP.epc,
    super_class.MANUFACTURER_CODE.epc,
    super_class.SERIAL_NUMBER.epc,
)
_MAPS = (super_class.GET_MAP.epc, super_class.SET_MAP.epc, super_class.ANNOUNCEMENT_MAP.epc)
MAP_READINGS = 3
"""Among so many two are the same, unless more is spoilt than comes through."""

type PropertyMaps = tuple[frozenset[int], frozenset[int], frozenset[int]]
"""The Get, the Set and the announcement map."""


class Description:
    """What is known of one meter. `constants`: what an earlier run has left."""

    def __init__(self, properties: PropertyReader, plausibility: Plausibility, constants: Constants | None) -> None:
        self.constants = constants
        """`None` before `read()`."""
        self.scale = constants.scale if constants else None
        """May be known before the constants are."""
        self.mac = constants.mac if constants else None
        """The meter that all of this is about; `None` while it is not known."""
        self.is_current = False
        """Whether the constants were read since the meter was joined."""
        self._are_remembered = constants is not None
        self._properties = properties
        self._plausibility = plausibility

    def meet(self, mac: bytes) -> bool:
        """Begin a session with a meter; return whether it is another one, so that nothing is known any more."""
        self.is_current = False
        is_another = self.mac not in {None, mac}
        self.mac = mac
        if is_another:
            self.constants = None
            self.scale = None
            self._are_remembered = False
            self._properties.forget(MANDATORY)
        return is_another

    async def read(self) -> Constants:
        """Read the constants; what was remembered is verified by this.

        Raises:
            PropertyError: the meter does not give what every meter must give.
            BrouteError: the meter was not asked, or did not answer.
        """
        return await self._read(self.scale)

    async def learn_scale(self, answers: Answers) -> Scale | None:
        """Take the scale from the first reading; a coefficient that was refused may be absent, which the map proves.

        In that case the meter has been described by this, which confirms the scale. Else it is to be confirmed.
        """
        try:
            if not answers.has_data(smart_meter.COEFFICIENT.epc):
                return (await self._read(_scale_or_none(answers))).scale
            return _scale_of(answers, frozenset(SCALE))
        except BrouteError as err:
            _LOGGER.debug("There is no energy yet: %s", err)
            return None

    def confirm_scale(self, scale: Scale | None, again: Answers) -> None:
        """Believe a scale that was seen once, if a second answer says the same."""
        if self.scale is None and scale == _scale_or_none(again):
            self.scale = scale

    async def _read(self, expected: Scale | None) -> Constants:
        """Read the constants; `expected` is the scale that was seen before."""
        verify = self._are_remembered
        answers = await self._properties.get(_DESCRIPTION)
        get_map, set_map, announcement_map = await self._confirm_maps(_maps_of(answers))
        if refused := [epc for epc in _DESCRIPTION if epc in get_map and not answers.has_data(epc)]:
            # What the map names may only have been too much at once.
            answers |= await self._properties.get(refused)
        if self.scale is None or verify:
            self.scale = await self._read_scale(get_map, expected)
        version = answers.value(super_class.STANDARD_VERSION)
        constants = Constants(
            mac=self.mac or b"",
            scale=self.scale,
            manufacturer_code=answers.value(super_class.MANUFACTURER_CODE),
            serial_number=answers.value(super_class.SERIAL_NUMBER),
            standard_version=str(version) if version else None,
            get_map=get_map,
            set_map=set_map,
            announcement_map=announcement_map,
            max_properties=self._properties.max_properties,
        )
        if verify and constants.scale != (self.constants and self.constants.scale):
            _LOGGER.warning("The meter counts otherwise than it did: its energies begin anew")
            self._plausibility.believed.clear()
        self.constants = constants
        self._are_remembered = False
        self._properties.readable = get_map
        self.is_current = True
        return constants

    async def _confirm_maps(self, maps: PropertyMaps) -> PropertyMaps:
        """Return maps that the meter gave twice: a spoilt digit adds properties to them, or takes some away."""
        known = self.constants
        seen = {(known.get_map, known.set_map, known.announcement_map)} if known else set()
        readings = 1
        while maps not in seen:
            if readings == MAP_READINGS:
                raise ImplausibleValueError("The meter gives its property maps differently each time")
            seen.add(maps)
            maps = _maps_of(await self._properties.get(_MAPS))
            readings += 1
        return maps

    async def _read_scale(self, get_map: frozenset[int], expected: Scale | None) -> Scale:
        """Read the scale: once if it is the expected one, else twice, since a spoilt digit would spoil all energies.

        The coefficient is asked for whatever the map says: a digit of the map may be spoilt as well.
        """
        scale = _scale_of(await self._properties.get(SCALE), get_map)
        if scale == expected:
            return scale
        again = _scale_of(await self._properties.get(SCALE), get_map)
        if again not in {scale, expected}:
            raise ImplausibleValueError("The meter gives its unit, digits and coefficient differently each time")
        return again


def _maps_of(answers: Answers) -> PropertyMaps:
    return (
        answers.required(super_class.GET_MAP),
        answers.value(super_class.SET_MAP) or frozenset(),
        answers.value(super_class.ANNOUNCEMENT_MAP) or frozenset(),
    )


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


def _scale_or_none(answers: Answers) -> Scale | None:
    """Return the scale of an answer, without a coefficient if none is in it; `None` if it cannot be read."""
    try:
        return _scale_of(answers, frozenset())
    except PropertyError:
        return None
