"""A small year of receipts in the shape of Complete Journey's files, and the shop files made from it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator import journey, journey_receipts
from simulator.catalogue import ShopFile

FIRST_DAY = date(2017, 9, 4)
DAYS = 4
STORES = 12
PRODUCTS = 70


def _products() -> pa.Table:
    rows = [
        {
            "product_id": 1000 + number,
            "manufacturer_id": 1,
            "department": "GROCERY",
            "brand": "Private",
            "product_category": "SOUP",
            "product_type": f"SOUP {number}",
            "package_size": ["16 OZ", "1 LB", "2 L", "12 OZ"][number % 4],
        }
        for number in range(PRODUCTS)
    ]
    rows.append({**rows[0], "product_id": 5000, "department": "FUEL", "package_size": None})
    rows.append({**rows[0], "product_id": 5001, "department": None, "package_size": None})
    rows.append({**rows[0], "product_id": 5002, "department": "COUPON", "package_size": None})
    return pa.Table.from_pylist(rows)


def _line(
    basket: int,
    store: int,
    household: int,
    at: datetime,
    product: int,
    quantity: int,
    value: float,
    **more: float,
) -> dict:
    return {
        "household_id": household, "store_id": store, "basket_id": basket, "product_id": product, "quantity": quantity,
        "sales_value": value, "retail_disc": 0.0, "coupon_disc": 0.0, "coupon_match_disc": 0.0, "week": 1,
        "transaction_timestamp": at, **more,
    }  # fmt: skip


def _transactions() -> pa.Table:
    rng = Random(7)
    rows = []
    basket = 30_000
    day = datetime(2017, 6, 20, tzinfo=UTC)
    while day < datetime(2017, 9, 10, tzinfo=UTC):
        for _ in range(60 if day.month == 9 else 15):
            basket += 1
            at = day + timedelta(seconds=rng.randrange(12 * 3600, 28 * 3600))
            store, household = rng.randrange(STORES), rng.randrange(300)
            for _ in range(rng.randint(1, 6)):
                product = 1000 + min(int(rng.expovariate(0.06)), PRODUCTS - 1)
                quantity = rng.choice([1, 1, 1, 2, 3])
                discount = rng.choice([0.0, 0.0, 0.3])
                rows.append(
                    _line(
                        basket,
                        store,
                        household,
                        at,
                        product,
                        quantity,
                        round(1.99 * quantity - discount, 2),
                        retail_disc=discount,
                    )
                )
        day += timedelta(days=1)
    odd = datetime(2017, 9, 5, 18, 0, tzinfo=UTC)
    rows.append(_line(99_001, 0, 1, odd, 5000, 14_000, 32.0))
    rows.append(_line(99_001, 0, 1, odd, 5001, 1, 1.0))
    rows.append(_line(99_001, 0, 1, odd, 1000, 0, 0.0))
    rows.append(_line(99_001, 0, 1, odd, 1001, 0, 2.5))
    rows.append(_line(99_001, 0, 1, odd, 1002, 500, 99.0, coupon_disc=120.0, coupon_match_disc=1.0))
    return pa.Table.from_pylist(rows).set_column(
        10,
        "transaction_timestamp",
        pa.array([row["transaction_timestamp"].replace(tzinfo=None) for row in rows], pa.timestamp("ns")),
    )


def _promotions() -> pa.Table:
    """Week 37 is the replayed one. 1000 is in the mailer of 8 of 12 stores, 1001 in that of 4, 1002 on display only."""
    shown = [(1000, store, "A") for store in range(8)] + [(1001, store, "D") for store in range(8, STORES)]
    shown += [(1002, store, "0") for store in range(STORES)]
    rows = [
        {
            "product_id": product,
            "store_id": store,
            "display_location": "0",
            "mailer_location": where,
            "week": week,
        }
        for week in (30, 37)
        for product, store, where in shown
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="session")
def journey_source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("completejourney")
    pq.write_table(_products(), folder / "products.parquet")
    pq.write_table(_transactions(), folder / "transactions.parquet")
    pq.write_table(_promotions(), folder / "promotions.parquet")
    return folder


@pytest.fixture(scope="session")
def shop_paths(journey_source, tmp_path_factory) -> list[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journey_receipts, "data_folder", lambda: journey_source)
        return journey.prepare_shops(
            tmp_path_factory.mktemp("shops"), shops=2, first_day=FIRST_DAY, days=DAYS
        )


@pytest.fixture
def shop(shop_paths):
    file = ShopFile(shop_paths[0])
    yield file
    file.close()
