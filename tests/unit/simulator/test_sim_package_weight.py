import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.package_weight import MAX_UNIT_WEIGHT_G, MIN_UNIT_WEIGHT_G, unit_weight_g


@pytest.mark.parametrize(
    ("size", "department", "category", "product_type", "grams"),
    [
        ("16 OZ", "GROCERY", "SOUP", "", 454),
        ("1 LB", "PRODUCE", "CARROTS", "", 454),
        ("1 GA", "GROCERY", "FLUID MILK PRODUCTS", "", 3785),
        ("2 L", "GROCERY", "SOFT DRINKS", "", 2000),
        ("750 ML", "SPIRITS", "WINE", "", 750),
        ("1 DZ", "GROCERY", "EGGS", "", 720),
        ("18 CT", "GROCERY", "EGGS", "", 1080),
        ("6 PK/12 OZ", "GROCERY", "BEER", "", 2041),
        ("6/16.9 OZ", "GROCERY", "WATER", "", 2875),
        ("L     8 OZ", "GROCERY", "CHEESE", "", 227),
        ("PT", "PRODUCE", "TOMATOES", "", 473),
        ("12 OZ", "GROCERY", "SOFT DRINKS", "SOFT DRINKS 12/18&15PK CAN CAR", 4082),
        ("10 LB", "PRODUCE", "POTATOES", "", 4536),
    ],
)
def test_a_size_in_mass_or_volume_is_taken_as_it_stands(size, department, category, product_type, grams):
    assert unit_weight_g(size, department, category, product_type) == grams


@pytest.mark.parametrize("size", ["40 LB", "48 CT", ""])
def test_the_size_of_a_produce_case_falls_back_to_one_sale_of_the_category(size):
    assert unit_weight_g(size, "PRODUCE", "TROPICAL FRUIT", "BANANAS") == 900


@given(st.text(max_size=30), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_any_text_gives_a_weight_within_bounds(size, department, category, product_type):
    assert MIN_UNIT_WEIGHT_G <= unit_weight_g(size, department, category, product_type) <= MAX_UNIT_WEIGHT_G
