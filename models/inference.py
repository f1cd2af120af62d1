"""What the edge and the centre call: demand and order quantity from a bundle's graphs, or from their stand-ins.

    models = open_models(Path("bundle"), public_key=Path("bundle-public-key.pem"))
    forecast = models.demand.forecast(history, date(2017, 9, 1), closed_days=[...])
    window = forecast.over_window(lead_time_days + review_days, first_day_share=0.4)
    proposals = models.replenishment.propose(window.quantiles, service_level=0.95, on_hand_units=..., ...)

Equal inputs give equal bits on one machine, whether SKUs come one by one or a thousand at once. Between
machines (x86 and ARM) mean and dispersion agree within GRAPH_TOLERANCE, relative.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy.typing as npt

from models.base_stock import BaseStockRule, Proposals, ReplenishmentPolicy, order_inputs
from models.baseline import SeasonalBaseline
from models.bundle import Bundle, PublicKey, load_bundle
from models.errors import BundleError
from models.execution import run_demand, run_replenishment
from models.features import FEATURES_BY_REVISION, demand_features, inputs_from
from models.forecast import DEFAULT_HORIZON_DAYS, Forecast, Forecaster, zero_closed_days
from models.known_days import KnownDays
from models.manifest import ORDER_FILE
from models.policy.order_graph import OrderGraph


class DemandModel:
    """Daily demand from a bundle's demand graph."""

    def __init__(self, bundle: Bundle) -> None:
        self._graph = bundle.demand
        self._correlation = bundle.manifest.correlation
        self._revision = bundle.features_revision
        self._name = bundle.name

    @property
    def name(self) -> str:
        """`name@version` of the bundle: what forecasts and proposals carry as `bundle`."""
        return self._name

    def forecast(
        self,
        history: npt.ArrayLike,
        first_day: date,
        *,
        price_ratio: npt.ArrayLike | None = None,
        category_level: npt.ArrayLike | None = None,
        served_share: npt.ArrayLike | None = None,
        known_days: KnownDays | None = None,
        closed_days: Collection[date] = (),
        horizon_days: int = DEFAULT_HORIZON_DAYS,
    ) -> Forecast:
        """Demand of `horizon_days` (1 to 28) business days from `first_day` on.

        history: (n_sku, n_days), units sold a day, the last column is the day before first_day; any n_days, also 0;
        the last 56 are used. NaN where demand was not seen: not listed, shop closed, sold out all day, nothing heard.
        price_ratio: (n_sku, horizon_days), the day's price over the mean price of the last 28 days; NaN unknown.
        category_level: (n_sku,), mean units a day of comparable SKUs in this shop, for SKUs with little history.
        served_share: (n_sku, n_days), of each day's demand, what the shelf could serve; below 1 the day's demand is recovered.
        known_days: columns of models.known_days (holiday, promotion, discount ...), each (n_sku, 56 + horizon_days) or (1, 56 + horizon_days)
        for the whole shop: the history's last 56 days, then the horizon; NaN unknown, and so is a column that is not given.
        closed_days: days of the horizon on which the shop does not open; they sell nothing.
        Negative and infinite values and spikes are cleaned, never an error. Raises ValueError on a wrong shape.
        """
        inputs = inputs_from(
            history,
            first_day,
            price_ratio=price_ratio,
            category_level=category_level,
            served_share=served_share,
            known_days=known_days,
            horizon_days=horizon_days,
        )
        rows = demand_features(inputs, revision=self._revision)
        n_sku = rows.shape[0]
        mean, dispersion = run_demand(
            self._graph, rows.reshape(-1, len(FEATURES_BY_REVISION[self._revision]))
        )
        return Forecast(
            first_day=first_day,
            mean=zero_closed_days(mean.reshape(n_sku, horizon_days), first_day, closed_days),
            dispersion=dispersion.reshape(n_sku, horizon_days),
            correlation=self._correlation,
            model=self._name,
        )


class Replenishment:
    """Order quantities from a bundle's replenishment graph."""

    def __init__(self, bundle: Bundle) -> None:
        self._graph = bundle.replenishment
        self._name = bundle.name

    @property
    def name(self) -> str:
        return self._name

    def propose(
        self,
        quantiles: npt.ArrayLike,
        *,
        service_level: npt.ArrayLike,
        on_hand_units: npt.ArrayLike,
        on_order_units: npt.ArrayLike = 0,
        pack_units: npt.ArrayLike = 1,
        min_order_units: npt.ArrayLike = 0,
        shelf_life_units: npt.ArrayLike | None = None,
        max_stock_units: npt.ArrayLike | None = None,
    ) -> Proposals:
        """One proposal a SKU; scalars stand for all SKUs.

        quantiles: (n_sku, 9), demand over lead time plus review period at contract.records.QUANTILE_LEVELS.
        on_hand_units: may be negative; NaN is unknown and proposes nothing, with the reason to count the shelf.
        shelf_life_units: what is expected to sell within the shelf life (Forecast.expected_units), NaN: no limit.
        max_stock_units: room for stock on hand and on order, NaN: no limit.
        Raises ValueError that names the wrong input, its limit and the SKU's number.
        """
        inputs = order_inputs(
            quantiles,
            service_level=service_level,
            on_hand_units=on_hand_units,
            on_order_units=on_order_units,
            pack_units=pack_units,
            min_order_units=min_order_units,
            shelf_life_units=shelf_life_units,
            max_stock_units=max_stock_units,
        )
        return run_replenishment(self._graph, inputs)


@dataclass(frozen=True, slots=True)
class Models:
    """What stands ready. name: of the bundle, or of the baseline. doubt: "" or why no bundle is in use.

    orders: the order graph, None where the bundle has none: `replenishment` orders then. order_graph: its file's sha256.
    """

    demand: Forecaster
    replenishment: ReplenishmentPolicy
    name: str
    doubt: str
    orders: OrderGraph | None = None
    order_graph: str = ""


def open_models(path: Path | None, public_key: PublicKey) -> Models:
    """The models of the bundle at `path`; the seasonal baseline, with its reason, when there is none or it is bad.

    public_key: a PEM file or its bytes, an Ed25519 key.
    """
    if path is None:
        return baseline_models("no bundle is set")
    try:
        return checked_models(path, public_key)
    except BundleError as error:
        return baseline_models(str(error))


def checked_models(path: Path, public_key: PublicKey) -> Models:
    """The models of the bundle at `path`. Raises BundleError when it is not what it says; nothing stands in for it."""
    bundle = load_bundle(path, public_key)
    return Models(
        DemandModel(bundle), Replenishment(bundle), bundle.name, "", bundle.orders,
        bundle.manifest.files.get(ORDER_FILE, ""),
    )  # fmt: skip


def baseline_models(reason: str) -> Models:
    """What works with no bundle at all. reason: shown to people as the doubt of every forecast."""
    baseline = SeasonalBaseline(reason)
    return Models(baseline, BaseStockRule(), baseline.name, reason)
