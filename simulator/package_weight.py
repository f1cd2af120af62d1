"""What one unit of a product weighs, from the text in Complete Journey's `package_size`.

The data has no weights. A size in mass is taken as it stands; a volume counts as water; a pack multiplies; a size that
describes the shipping box (`40 LB` bananas, `48 CT` peppers) or none at all falls back to what one sale of that category
commonly weighs. The shop's scales only need a plausible number that the catalogue and the goods share.
"""

import re

MIN_UNIT_WEIGHT_G, MAX_UNIT_WEIGHT_G = 20.0, 6000.0
MAX_PRODUCE_BAG_LB = 10.0
"""Produce in larger sizes is the case it came in: nobody buys 40 lb of bananas at 98 cents."""

_GRAMS = {
    "FL OZ": 29.57, "OZ": 28.35, "Z": 28.35, "LB": 453.6, "GAL": 3785.0, "GA": 3785.0, "QT": 946.0, "PT": 473.0,
    "ML": 1.0, "LTR": 1000.0, "L": 1000.0, "KG": 1000.0, "GM": 1.0,
}  # fmt: skip
_UNIT = "|".join(sorted(_GRAMS, key=len, reverse=True))
_SIZE = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})\b")
_BARE_UNIT = re.compile(rf"^\s*({_UNIT})\s*$")
"""`PT`, `GAL`: one of it. Letters before a size (`L     8 OZ`) are the data's own and mean nothing here."""
_PACK = re.compile(r"\b(\d{1,2})\s*(?:PK|/(?=\s*\d))")
_COUNT = re.compile(r"\b(\d{1,2})(?:-\d+)?\s*(DZ|CT)\b")
_CAN_CARTON = "12/18&15PK CAN"
"""Twelve-packs of cans carry the size of one can."""
_EGG_G = 60.0

_BY_CATEGORY_G = {
    "TROPICAL FRUIT": 900.0, "BERRIES": 450.0, "PEPPERS-ALL": 170.0, "VEGETABLES - ALL OTHERS": 320.0, "CARROTS": 450.0,
    "VEGETABLES SALAD": 600.0, "TOMATOES": 650.0, "GRAPES": 900.0, "POTATOES": 1100.0, "BROCCOLI/CAULIFLOWER": 500.0,
    "ONIONS": 500.0, "MELONS": 1500.0, "APPLES": 850.0, "CITRUS": 190.0, "CORN": 280.0, "STONE FRUIT": 600.0, "PEARS": 700.0,
    "MUSHROOMS": 230.0, "HERBS": 40.0, "FLUID MILK PRODUCTS": 1950.0, "REFRGRATD JUICES/DRNKS": 1800.0, "BATH TISSUES": 420.0,
    "PAPER TOWELS": 300.0, "BREAKFAST SWEETS": 80.0, "BREAD": 450.0, "EGGS": 720.0, "CANDY - CHECKLANE": 50.0, "BEEF": 700.0,
    "CHICKEN": 900.0, "PORK": 700.0, "SOFT DRINKS": 600.0, "CIGARETTES": 25.0, "MAGAZINE": 250.0, "NEWSPAPER": 200.0,
}  # fmt: skip
_BY_DEPARTMENT_G = {
    "PRODUCE": 400.0, "MEAT": 700.0, "MEAT-PCKGD": 400.0, "SEAFOOD": 400.0, "SEAFOOD-PCKGD": 350.0, "DELI": 300.0,
    "PASTRY": 300.0, "COSMETICS": 60.0, "DRUG GM": 200.0, "SPIRITS": 1200.0, "FLORAL": 500.0,
}  # fmt: skip
_OTHER_G = 400.0


def unit_weight_g(package_size: str, department: str, category: str, product_type: str) -> float:
    """Grams of one unit as sold, MIN_UNIT_WEIGHT_G to MAX_UNIT_WEIGHT_G, whole grams."""
    text = package_size.upper()
    grams = _from_text(text, department, category, product_type)
    if grams is None:
        grams = _BY_CATEGORY_G.get(category, _BY_DEPARTMENT_G.get(department, _OTHER_G))
    return float(round(min(MAX_UNIT_WEIGHT_G, max(MIN_UNIT_WEIGHT_G, grams))))


def _from_text(text: str, department: str, category: str, product_type: str) -> float | None:
    count = _COUNT.search(text)
    if category == "EGGS" and count is not None:
        return _EGG_G * int(count[1]) * (12 if count[2] == "DZ" else 1)
    size = _SIZE.search(text)
    bare = _BARE_UNIT.match(text)
    if size is None:
        return _GRAMS[bare[1]] if bare is not None else None
    amount, unit = float(size[1]), size[2]
    if department == "PRODUCE" and unit == "LB" and amount > MAX_PRODUCE_BAG_LB:
        return None
    pack = _PACK.search(text)
    packed = int(pack[1]) if pack is not None else 1
    if packed == 1 and product_type.find(_CAN_CARTON) >= 0 and amount <= 16:
        packed = 12
    return amount * _GRAMS[unit] * max(packed, 1)
