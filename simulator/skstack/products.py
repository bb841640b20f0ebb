"""The modules that run SKSTACK-IP, and how they differ. Data for all files beside it.

Versions and refusals are those of the captures; ROHM's modules come from the factory with binary payload.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Product:
    """A module as sold.

    Attributes:
        name: what is printed on it, and what the command line calls it.
        dual: the dual-stack firmware (B-route and HAN): arguments and lines have a SIDE, SA2 adds the RSSI.
        version: what SKVER says.
        application: what SKAPPVER says; `None`: refused with ER04.
        options: has ROPT, WOPT, RUART and WUART; without them payload is hexadecimal.
        uart: what RUART says, bit 7 = flow control.
    """

    name: str
    dual: bool
    version: str
    application: str | None = "rev26e"
    options: bool = True
    uart: int = 0x00

    @property
    def send_words(self) -> int:
        """The words of SKSENDTO before its data, its name included."""
        return 7 if self.dual else 6


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product(name="BP35A1", dual=False, version="1.2.10"),
        Product(name="WSR35A1", dual=False, version="1.2.10"),
        Product(name="RL7023-IPS", dual=False, version="1.2.10", options=False),
        Product(name="BP35C0", dual=True, version="1.5.2"),
        Product(name="BP35C2", dual=True, version="1.5.2"),
        Product(name="RS-WSUHA-P", dual=True, version="1.5.2", uart=0x80),
        Product(name="RL7023-DSS", dual=True, version="1.5.2", application=None, options=False),
    )
}
