"""The modules as they are sold, of both families, by the names on them."""

from .j11.products import PRODUCTS as J11_PRODUCTS, Product as J11Product
from .skstack.products import PRODUCTS as SKSTACK_PRODUCTS, Product as SkstackProduct

type Product = SkstackProduct | J11Product

PRODUCTS: dict[str, Product] = {**SKSTACK_PRODUCTS, **J11_PRODUCTS}
