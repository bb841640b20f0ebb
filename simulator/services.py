"""The ECHONET Lite services on one object: a request in, the response out, with the SNA forms. Pure.

`meter` above carries the frames; `properties` below holds the values.
"""

from enum import Enum, auto

from .echonet import Esv, Frame, Property
from .properties import EchonetObject

RESPONSES: dict[int, tuple[Esv | None, Esv]] = {
    Esv.SETI: (None, Esv.SETI_SNA),
    Esv.SETC: (Esv.SET_RES, Esv.SETC_SNA),
    Esv.GET: (Esv.GET_RES, Esv.GET_SNA),
    Esv.INF_REQ: (Esv.INF, Esv.INF_SNA),
    Esv.SETGET: (Esv.SETGET_RES, Esv.SETGET_SNA),
}
"""Service of the response when all went well (`None`: no response) and when something was refused."""


class OverLimit(Enum):
    """What a meter does with a request for more properties than it can take."""

    PARTIAL = auto()
    """SNA: the first ones are done, the later ones refused."""
    REFUSE = auto()
    """SNA: all refused."""
    SILENT = auto()
    """No response."""


def response(target: EchonetObject, request: Frame, *, limit: int, over_limit: OverLimit) -> Frame | None:
    """Carry out a request and return the response, `None` when none is due.

    Args:
        target: the object that the request is for.
        request: SetI, SetC, Get, INF_REQ or SetGet.
        limit: how many properties are done at most.
        over_limit: what happens to a request for more.
    """
    good, bad = RESPONSES[request.esv]
    if len(request.epcs) > limit:
        if over_limit is OverLimit.SILENT:
            return None
        limit = 0 if over_limit is OverLimit.REFUSE else limit
    first_limit, second_limit = limit, limit - len(request.properties)
    if request.esv in (Esv.GET, Esv.INF_REQ):
        done = _read(target, request.properties, first_limit, notify=request.esv == Esv.INF_REQ)
    else:
        done = _write(target, request.properties, first_limit)
    gets = _read(target, request.gets, second_limit)
    complete = all(ok for _, ok in done + gets)
    if complete and good is None:
        return None
    return Frame(
        tid=request.tid,
        seoj=target.eoj,
        deoj=request.seoj,
        esv=good if complete and good is not None else bad,
        properties=tuple(prop for prop, _ in done),
        gets=tuple(prop for prop, _ in gets),
    )


def _read(
    target: EchonetObject, asked: tuple[Property, ...], limit: int, *, notify: bool = False
) -> list[tuple[Property, bool]]:
    """Return each property with its value, or with PDC 0 where it cannot be read."""
    read = target.notify if notify else target.read
    values = [read(prop.epc) if index < limit else None for index, prop in enumerate(asked)]
    return [(Property(prop.epc, edt or b""), edt is not None) for prop, edt in zip(asked, values, strict=True)]


def _write(target: EchonetObject, asked: tuple[Property, ...], limit: int) -> list[tuple[Property, bool]]:
    """Set each property; accepted ones come back with PDC 0, refused ones as they were sent."""
    accepted = [index < limit and target.write(prop.epc, prop.edt) for index, prop in enumerate(asked)]
    return [(Property(prop.epc) if ok else prop, ok) for prop, ok in zip(asked, accepted, strict=True)]
