"""Credentials as people type them."""

import pytest

from custom_components.broute.aiobroute import Credentials, MalformedIdError, MalformedPasswordError

ID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"


@pytest.mark.parametrize(
    "typed",
    [
        ID,
        ID.lower(),
        f"  {ID}\n",
        "0011 2233 4455 6677 8899 AABB CCDD EEFF",
        "0011-2233-4455-6677-8899-AABB-CCDD-EEFF",
        "0011‐2233‑4455–6677—8899−AABB－CCDDーEEFF",
        "００１１２２３３４４５５６６７７８８９９ａａｂｂｃｃｄｄｅｅｆｆ",
        "0011\u30002233\u00a04455667788\t99AABBCCDDEEFF",
    ],
)
def test_an_id_is_mended(typed: str) -> None:
    credentials = Credentials.parse(typed, PASSWORD)
    assert credentials.route_b_id == ID
    assert credentials.pairing_id == "CCDDEEFF"


def test_a_password_is_mended() -> None:
    assert Credentials.parse(ID, "０１２３-4567-89ａｂ").password == PASSWORD


@pytest.mark.parametrize("typed", ["", ID[:-1], ID + "0", ID[:-1] + "!", ID[:-1] + "é", "ア" * 32])
def test_what_cannot_be_an_id_is_refused_without_being_repeated(typed: str) -> None:
    with pytest.raises(MalformedIdError) as caught:
        Credentials.parse(typed, PASSWORD)
    assert not typed or typed not in str(caught.value)


@pytest.mark.parametrize("typed", ["", PASSWORD[:-1], PASSWORD + "0", PASSWORD[:-1] + "_"])
def test_what_cannot_be_a_password_is_refused_without_being_repeated(typed: str) -> None:
    with pytest.raises(MalformedPasswordError) as caught:
        Credentials.parse(ID, typed)
    assert not typed or typed not in str(caught.value)
