"""Messages that look like the meter's side of PANA with EAP-PSK, byte for byte as long as the captured ones.

The module prints them as UDP on port 716 and no host looks into them, so nonces, ciphers and authentication codes are
random; what a host may meet (the lengths, the B-route ID in clear, the lifetime) is real. RFC 5191, section 8.
"""

from random import Random

UDP_PORT = 716

_AUTH = 2
_START, _REQUEST, _COMPLETE = 0xC000, 0x8000, 0xA000
_AVP_AUTH, _AVP_EAP, _AVP_INTEGRITY, _AVP_KEY_ID, _AVP_NONCE, _AVP_PRF, _AVP_RESULT, _AVP_LIFETIME = range(1, 9)
_EAP_PSK = 47


class Exchange:
    """The requests of one authentication, in order.

    Args:
        identity: the B-route ID, 32 characters; it is sent in clear.
        random: the source of what would be nonces and ciphers.
    """

    def __init__(self, identity: str, random: Random) -> None:
        self._identity = b"SM" + identity.encode()
        self._random = random
        self._session = random.getrandbits(32)
        self._sequence = random.getrandbits(31)
        self._eap = random.randrange(1, 200)
        self._challenge = random.randbytes(16)

    def start(self) -> bytes:
        """Return the first request, 0028 bytes: algorithms only."""
        return self._message(_START, _avp(_AVP_PRF, (5).to_bytes(4)) + _avp(_AVP_INTEGRITY, (12).to_bytes(4)))

    def challenge(self) -> bytes:
        """Return the first EAP-PSK round, 0068 bytes: it names the B-route ID."""
        eap = self._eap_request(b"\x00" + self._challenge + self._identity)
        return self._message(_REQUEST, _avp(_AVP_NONCE, self._random.randbytes(16)) + _avp(_AVP_EAP, eap))

    def proof(self) -> bytes:
        """Return the second EAP-PSK round, 0054 bytes."""
        cipher = self._random.randbytes(16) + bytes(4) + self._random.randbytes(16) + b"\x81"
        return self._message(_REQUEST, _avp(_AVP_EAP, self._eap_request(b"\x80" + self._challenge + cipher)))

    def success(self, lifetime_s: int) -> bytes:
        """Return the last request, 0058 bytes: result 0 and the session's lifetime in seconds."""
        return self._message(
            _COMPLETE,
            _avp(_AVP_RESULT, bytes(4)),
            _avp(_AVP_EAP, b"\x03" + self._eap.to_bytes() + b"\x00\x04"),
            _avp(_AVP_KEY_ID, b"\x00\x00\x16\x01"),
            _avp(_AVP_LIFETIME, lifetime_s.to_bytes(4)),
            _avp(_AVP_AUTH, self._random.randbytes(16)),
        )

    def failure(self) -> bytes:
        """Return the last request of a refused authentication: result 1 and EAP failure."""
        eap = b"\x04" + self._eap.to_bytes() + b"\x00\x04"
        return self._message(_COMPLETE, _avp(_AVP_RESULT, (1).to_bytes(4)), _avp(_AVP_EAP, eap))

    def _eap_request(self, data: bytes) -> bytes:
        self._eap += 1
        return b"\x01" + self._eap.to_bytes() + (len(data) + 5).to_bytes(2) + bytes((_EAP_PSK,)) + data

    def _message(self, flags: int, *avps: bytes) -> bytes:
        body = b"".join(avps)
        self._sequence += 1
        head = bytes(2) + (16 + len(body)).to_bytes(2) + flags.to_bytes(2) + _AUTH.to_bytes(2)
        return head + self._session.to_bytes(4) + self._sequence.to_bytes(4) + body


def _avp(code: int, value: bytes) -> bytes:
    """Encode an attribute: code, flags, length, reserved, value padded to four bytes."""
    return code.to_bytes(2) + bytes(2) + len(value).to_bytes(2) + bytes(2) + value + bytes(-len(value) % 4)
