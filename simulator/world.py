"""The physical truth of one shop: shoppers, staff and goods. Pure: time is an argument, chance comes from the seed.

A shop's life is an agenda of moments. Baskets of the shop file become visits: goods leave the cells two to ten minutes
before the receipt; what an empty cell cannot give is a lost sale and is missing on the receipt. Staff fill the
shelves from the back room, count, write off and swap a facing; deliveries come from outside.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from contract.devices import AdjustmentReason, DeliveryLine, Place, StocktakeLine
from simulator.catalogue import DAY_MS, HOUR_MS, TILLS, Basket, ShopFile, local_day
from simulator.shop_protocol import Despatch, WalletCoupon
from simulator.world_cart import Cart, CartLine, SoldLine, check_out, return_lines
from simulator.world_events import (
    CellsRead,
    CellTouched,
    DayEnded,
    DeliveryTaken,
    GoodsWrittenOff,
    ReceiptRung,
    StockCounted,
    WorldEvent,
)
from simulator.world_stock import Stock
from simulator.world_wallets import Wallets

MINUTE_MS = 60_000
ENTER_MS = 11 * MINUTE_MS
"""Before the receipt: the shopper comes in, and the coupons in the wallet are looked through."""
PICK_FROM_MS, PICK_TO_MS = 2 * MINUTE_MS, 10 * MINUTE_MS
HAND_MS = 4_000
"""Between two touches of one cell: the scale settles within half of that."""
PUT_BACK_SHARE = 0.03
THEFT_SHARE = 0.012
"""Of visits: one unit leaves a cell without a receipt, about 1 % of what the cells give, as shops commonly lose."""
RETURN_SHARE, COUPON_RETURN_SHARE = 0.006, 0.08
ONE_BY_ONE_SHARE = 0.3
FIRST_WALK_HOUR, LAST_WALK_HOUR = 6, 21
FULL_WALK_HOURS = (7, 17)
LOW_SHARE, FULL_WALK_SHARE = 0.35, 0.75
"""A cell is filled when it is at or below this part of its capacity; on a full walk, sooner."""
WALK_STEP_MS = 25_000
DAMAGE_DAY, DAMAGED_UNITS = 3, 6
STOCKTAKE_DAY, STOCKTAKE_CELLS = 10, 10


@dataclass(slots=True)
class Tally:
    """What nobody in the shop can see, for the report."""

    lost_sales_units: int = 0
    lost_baskets: int = 0
    stolen_units: int = 0
    damaged_units: int = 0
    returned_units: int = 0
    voided_units: int = 0
    redemptions: dict[str, int] = field(default_factory=dict)
    reversals: dict[str, int] = field(default_factory=dict)
    deliveries: list[str] = field(default_factory=list)


class World:
    """Raises nothing after construction; what is asked for the past happens now."""

    def __init__(self, shop: ShopFile, seed: int) -> None:
        self._shop = shop
        self._seed = seed
        self.now_ms = shop.start_ms
        self.tally = Tally()
        self.stock = Stock(shop, self._rng("stock"))
        self.wallets = Wallets(self._rng("wallets").random())
        self._staff = self._rng("staff")
        self._item_of_gtin = {item.gtin: item for item in shop.items.values()}
        self._price_cents = {item.sku: item.price_cents for item in shop.items.values()}
        self._agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = count()
        self._events: list[WorldEvent] = []
        self._baskets = shop.baskets()
        self._next_basket = next(self._baskets, None)
        self._open_carts: dict[int, Cart] = {}
        self._plan_the_run()

    @property
    def next_ms(self) -> int | None:
        """When something next happens; baskets not yet looked at come after that."""
        times = [self._agenda[0][0]] if self._agenda else []
        if self._next_basket is not None:
            times.append(self._next_basket.at_ms - ENTER_MS)
        return max(min(times), self.now_ms) if times else None

    def deliver(self, despatches: Sequence[Despatch]) -> None:
        for despatch in despatches:
            self._at(despatch.arrive_ms, partial(self._take_delivery, despatch))

    def give_coupons(self, coupons: Sequence[WalletCoupon]) -> None:
        for coupon in coupons:
            self.wallets.add(coupon)

    def set_prices(self, prices: dict[str, int]) -> None:
        self._price_cents.update(prices)

    def advance(self, to_ms: int) -> list[WorldEvent]:
        """Everything that happens up to and with `to_ms`, in order of time."""
        while True:
            basket = self._next_basket
            if basket is not None and basket.at_ms - ENTER_MS <= to_ms:
                self._at(basket.at_ms - ENTER_MS, partial(self._enter, basket))
                self._next_basket = next(self._baskets, None)
                continue
            if not self._agenda or self._agenda[0][0] > to_ms:
                break
            at_ms, _, act = heapq.heappop(self._agenda)
            self.now_ms = at_ms
            act(at_ms)
        self.now_ms = max(self.now_ms, to_ms)
        events, self._events = self._events, []
        return events

    # --- the plan of the run -------------------------------------------------------------------------------

    def _plan_the_run(self) -> None:
        start, days = self._shop.start_ms, self._shop.days
        self._at(start, self._count_opening_stock)
        self._at(start, self._read_cells)
        for day in range(days):
            midnight = start + day * DAY_MS
            self._at(midnight + DAY_MS, self._end_day)
            for hour in range(FIRST_WALK_HOUR, LAST_WALK_HOUR + 1):
                self._at(midnight + hour * HOUR_MS, self._walk)
        if days > 1:
            self._at(start + min(DAMAGE_DAY, days - 1) * DAY_MS + 11 * HOUR_MS, self._damage)
            self._at(start + min(STOCKTAKE_DAY, days - 1) * DAY_MS + 5 * HOUR_MS, self._count_some)
        if self._shop.swap is not None:
            self._at(self._shop.swap.at_ms, self._swap)

    def _at(self, at_ms: int, act: Callable[[int], None]) -> None:
        heapq.heappush(self._agenda, (max(at_ms, self.now_ms), next(self._order), act))

    def _rng(self, purpose: str) -> Random:
        return Random(f"{self._seed}/{self._shop.shop}/{purpose}")  # noqa: S311 - a simulation must repeat itself

    # --- shoppers ------------------------------------------------------------------------------------------

    def _enter(self, basket: Basket, now: int) -> None:
        rng = self._rng(f"basket {basket.number}")
        cart = Cart(basket.number, basket.at_ms, basket.member)
        for line in basket.lines:
            item = self._shop.items[line.sku]
            cart.lines.append(
                CartLine(item, line.quantity, line.regular_cents, line.discount_cents, line.coupon_cents)
            )
        pays_ms = max(cart.at_ms, now + 3 * MINUTE_MS)
        self._use_wallet(cart, pays_ms)
        self._open_carts[cart.number] = cart
        for cart_line in cart.lines:
            if self.stock.place_of(cart_line.item.sku) is None:
                cart_line.taken_units = cart_line.wanted_units
                continue
            at_ms = max(now + MINUTE_MS, cart.at_ms - rng.randint(PICK_FROM_MS, PICK_TO_MS))
            one_by_one = cart_line.wanted_units > 1 and rng.random() < ONE_BY_ONE_SHARE
            self._plan_pick(
                cart_line, cart_line.wanted_units, at_ms, 1 if one_by_one else cart_line.wanted_units
            )
            if rng.random() < PUT_BACK_SHARE:
                self._at(at_ms + 15_000, partial(self._change_mind, cart_line))
        if rng.random() < THEFT_SHARE:
            self._at(
                now + 5 * MINUTE_MS,
                partial(self._steal, rng.randrange(len(self.stock.cells))),
            )
        till = rng.choice(TILLS)
        self._at(pays_ms, partial(self._pay, cart, till, rng))

    def _use_wallet(self, cart: Cart, pays_ms: int) -> None:
        """Only what is still valid at the till: a till refuses a coupon that ended while its holder walked the aisles."""
        for coupon in self.wallets.usable(cart.member, pays_ms):
            if coupon.gtin is None:
                fitting = sorted(
                    (line for line in cart.lines if line.coupon is None), key=lambda line: -line.regular_cents
                )
            else:
                fitting = [
                    line for line in cart.lines if line.coupon is None and line.item.gtin == coupon.gtin
                ]
            if fitting:
                fitting[0].coupon = coupon
                self.wallets.take_out(coupon)
            elif coupon.gtin is not None and coupon.gtin in self._item_of_gtin:
                item = self._item_of_gtin[coupon.gtin]
                self.wallets.take_out(coupon)
                cart.lines.append(CartLine(item, 1, self._price_cents[item.sku], 0, 0, coupon=coupon))

    def _plan_pick(self, line: CartLine, left: int, at_ms: int, step: int) -> None:
        self._at(at_ms, partial(self._pick, line, left, step))

    def _pick(self, line: CartLine, left: int, step: int, now: int) -> None:
        place = self._place(line.item.sku)
        cell = self.stock.cells[place]
        if cell.free_ms > now:
            self._plan_pick(line, left, cell.free_ms, step)
            return
        taken = self._take(place, min(step, left), now)
        line.taken_units += taken
        if taken < min(step, left):
            self.tally.lost_sales_units += left - taken
        elif left > taken:
            self._plan_pick(line, left - taken, now + HAND_MS + 1000, step)

    def _change_mind(self, line: CartLine, now: int) -> None:
        """Takes one more, reads the label, puts it back."""
        place = self._place(line.item.sku)
        cell = self.stock.cells[place]
        if cell.free_ms > now:
            self._at(cell.free_ms, partial(self._change_mind, line))
        elif self._take(place, 1, now):
            self._at(now + 20_000, partial(self._put_back, line.item.sku))

    def _put_back(self, sku: str, now: int) -> None:
        place = self._place(sku)
        cell = self.stock.cells[place]
        if cell.free_ms > now:
            self._at(cell.free_ms, partial(self._put_back, sku))
            return
        before_g = cell.load_g
        self.stock.put_back(place, 1)
        self._touched(place, before_g, now)

    def _steal(self, place: int, now: int) -> None:
        cell = self.stock.cells[place]
        if cell.free_ms > now:
            self._at(cell.free_ms, partial(self._steal, place))
            return
        self.tally.stolen_units += self._take(place, 1, now)

    def _pay(self, cart: Cart, till: str, rng: Random, now: int) -> None:
        del self._open_carts[cart.number]
        checkout = check_out(cart, rng)
        if not checkout.printed:
            self.tally.lost_baskets += 1
        self.tally.voided_units += checkout.voided_units
        for lines in checkout.printed:
            self._events.append(ReceiptRung(now, till, cart.member, lines))
        for coupon, cents in checkout.redeemed:
            self.tally.redemptions[coupon.code] = cents
        redeemed = {coupon.code for coupon, _ in checkout.redeemed}
        for line in cart.lines:
            if line.coupon is not None and line.coupon.code not in redeemed:
                self.wallets.put_back(line.coupon)
        for sold in checkout.sold:
            if rng.random() < (RETURN_SHARE if sold.code is None else COUPON_RETURN_SHARE):
                at_ms = now + DAY_MS + rng.randint(-2 * HOUR_MS, 4 * HOUR_MS)
                if at_ms < self._shop.end_ms - HOUR_MS:
                    self._at(at_ms, partial(self._return, sold, cart.member, till))

    def _return(self, sold: SoldLine, member: str, till: str, now: int) -> None:
        self.tally.returned_units += sold.units
        self.stock.receive(sold.item.sku, sold.units)
        if sold.code is not None:
            self.tally.reversals[sold.code] = sold.code_cents
        self._events.append(ReceiptRung(now, till, member, return_lines(sold)))

    # --- staff ---------------------------------------------------------------------------------------------

    def _walk(self, now: int) -> None:
        hour = (now - self._shop.start_ms) // HOUR_MS % 24
        share = FULL_WALK_SHARE if hour in FULL_WALK_HOURS else LOW_SHARE
        low = [
            place for place, cell in enumerate(self.stock.cells) if cell.units <= share * cell.capacity_units
        ]
        for step, place in enumerate(low):
            self._at(now + 3 * MINUTE_MS + step * WALK_STEP_MS, partial(self._refill, place))

    def _refill(self, place: int, now: int) -> None:
        cell = self.stock.cells[place]
        if cell.free_ms > now:
            self._at(cell.free_ms, partial(self._refill, place))
            return
        before_g = cell.load_g
        if self.stock.refill(place):
            self._touched(place, before_g, now)

    def _take_delivery(self, despatch: Despatch, now: int) -> None:
        lines = tuple(
            DeliveryLine(
                gtin=line.gtin, quantity_units=line.quantity_units, expected_units=line.expected_units
            )
            for line in despatch.lines
        )
        for line in lines:
            item = self._item_of_gtin.get(line.gtin)
            if item is not None:
                self.stock.receive(item.sku, line.quantity_units)
        self.tally.deliveries.append(despatch.despatch)
        self._events.append(DeliveryTaken(now, despatch.despatch, lines))

    def _count_opening_stock(self, now: int) -> None:
        self._count([cell.sku for cell in self.stock.cells], now, opening=True)

    def _count_some(self, now: int) -> None:
        """A few cells, when none of their goods is in a cart: who counts then finds everything in its place."""
        skus = [cell.sku for cell in self.stock.cells[:STOCKTAKE_CELLS]]
        carried = {
            line.item.sku for cart in self._open_carts.values() for line in cart.lines if line.taken_units
        }
        if carried & set(skus):
            self._at(now + 10 * MINUTE_MS, self._count_some)
        else:
            self._count(skus, now, opening=False)

    def _count(self, skus: list[str], now: int, *, opening: bool) -> None:
        lines = tuple(
            StocktakeLine(gtin=self._shop.items[sku].gtin, counted_units=self.stock.total_units(sku))
            for sku in skus
        )
        self._events.append(StockCounted(now, Place.STORE, opening, lines))

    def _damage(self, now: int) -> None:
        """A case falls in the back room: of the goods that have most there; another day if there is nothing to fall."""
        sku = max(self.stock.back_room, key=lambda sku: (self.stock.back_room[sku], sku))
        gone = self.stock.write_off(sku, DAMAGED_UNITS)
        self.tally.damaged_units += gone
        if not gone:
            self._at(now + DAY_MS, self._damage)
        else:
            gtin = self._shop.items[sku].gtin
            self._events.append(GoodsWrittenOff(now, gtin, -gone, Place.BACK_ROOM, AdjustmentReason.DAMAGE))

    def _swap(self, now: int) -> None:
        swap = self._shop.swap
        if swap is None:
            return
        before = [self.stock.cells[place].load_g for place in (swap.first, swap.second)]
        self.stock.swap(swap.first, swap.second)
        for place, before_g in zip((swap.first, swap.second), before, strict=True):
            self._touched(place, before_g, now)

    def _end_day(self, now: int) -> None:
        self._events.append(DayEnded(now, local_day(now - 1)))

    # --- cells ---------------------------------------------------------------------------------------------

    def _read_cells(self, now: int) -> None:
        """The shelves' heartbeat, a few minutes past each hour so that it meets no refill walk."""
        self._events.append(CellsRead(now, tuple(cell.load_g for cell in self.stock.cells)))
        self._at(now - now % HOUR_MS + HOUR_MS + 2 * MINUTE_MS, self._read_cells)

    def _take(self, place: int, units: int, now: int) -> int:
        before_g = self.stock.cells[place].load_g
        taken = self.stock.take(place, units)
        if taken:
            self._touched(place, before_g, now)
        return taken

    def _touched(self, place: int, before_g: float, now: int) -> None:
        cell = self.stock.cells[place]
        cell.free_ms = now + HAND_MS
        self._events.append(CellTouched(now, place, before_g, cell.load_g))

    def _place(self, sku: str) -> int:
        place = self.stock.place_of(sku)
        assert place is not None, "only goods of a cell are picked"
        return place
