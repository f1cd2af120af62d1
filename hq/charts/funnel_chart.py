"""From issued to redeemed: how far a campaign's coupons came."""

from contract.api.offers import CampaignView
from hq import palette
from hq.charts import Option
from hq.charts.axis import base, datum
from hq.words import counted, number, percent

HEIGHT_PX = 190


def funnel_chart(campaign: CampaignView) -> Option:
    """Horizontal bars from one zero line: lengths compare better than the widths of a drawn funnel."""
    stages = [
        ("Audience", campaign.audience, palette.HISTORY),
        ("Issued", campaign.issued, palette.OURS),
        ("Delivered", campaign.delivered, palette.OURS),
        ("Redeemed", campaign.redeemed, palette.OK),
        ("Reversed", campaign.reversed, palette.WARNING),
        ("Refused", campaign.refused, palette.ERROR),
    ]
    option = base(
        aria=f"Coupons of {campaign.name}: " + ", ".join(f"{name} {count}" for name, count, _ in stages)
    )
    option["tooltip"] |= {"trigger": "item"}
    option |= {
        "grid": {"left": 4, "right": 56, "top": 6, "bottom": 4, "containLabel": True},
        "xAxis": {"type": "value", "min": 0, "show": False},
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": [name for name, _, _ in stages],
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": {"color": palette.INK, "fontSize": 12},
        },
        "series": [
            {
                "name": "Coupons",
                "type": "bar",
                "barWidth": 14,
                "showBackground": True,
                "backgroundStyle": {"color": palette.SOFT},
                "label": {"show": True, "position": "right", "color": palette.INK, "fontSize": 12},
                "data": [
                    datum(
                        count,
                        _share(name, count, campaign),
                        name,
                        itemStyle={"color": colour},
                        label={"formatter": number(count)},
                    )
                    for name, count, colour in stages
                ],
            }
        ],
    }
    return option


def _share(name: str, count: int, campaign: CampaignView) -> str:
    if name == "Audience":
        return f"{number(count)} members, {number(campaign.holdout)} of them held out to measure"
    if name == "Issued":
        # A member may get several: a share of the audience would mislead.
        each = f", {count / campaign.audience:.1f} a member of the audience" if campaign.audience else ""
        return f"{counted(count, 'coupon')}{each}"
    return f"{number(count)}, {percent(count, campaign.issued)} of the issued"
