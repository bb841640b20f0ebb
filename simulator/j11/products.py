"""The modules with J11 firmware. Data for all files beside it; the version is that of a captured 206B."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Product:
    """A module as sold.

    Attributes:
        name: what is printed on it, and what the command line calls it.
        firmware: the id of the firmware: 0400 is HAN with the B-route.
        version: major and minor.
        revision: 32 bits.
    """

    name: str
    firmware: int = 0x0400
    version: tuple[int, int] = (1, 3)
    revision: int = 0x158A


PRODUCTS: dict[str, Product] = {
    product.name: product for product in (Product(name="BP35C0-J11"), Product(name="RS-WSUHA-J11"))
}
