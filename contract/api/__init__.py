"""Models of the centre's HTTP API, shared by the centre (which serves it) and HQ (which reads it).

Every error is `application/problem+json` (`Problem`). Every route but those marked `-` and /openapi.json wants
`Authorization: Bearer …`: a gateway's key, a system's token or a person's session. Scopes: g gateway key, s system
(replenishment), h HQ, r a region's people, t a shop's team, m member app, * any of them; an admin may all but g. Who
reaches some stores only sees and changes those; a route about the whole chain is closed to it. A test holds this table.

    POST   /v1/gateways/{gateway}/batches                               g        Batch → BatchReceipt          (contract.batch)
    GET    /v1/gateways                                                 h r t    Page[GatewayView]
    PUT    /v1/stores/{store}                                           s        StorePut → StoreView
    GET    /v1/stores                                                   h r t s  Page[StoreView]
    GET    /v1/stores/{store}                                           h r t s  StoreView
    PUT    /v1/stores/{store}/items                                     s        ItemsPut → Accepted           (whole list; also planogram,
    POST   /v1/stores/{store}/items                                     s        text/csv → ImportReport        (good rows are taken, bad ones told)
    PUT    /v1/stores/{store}/planogram                                 s        PlanogramPut → Accepted        prices, supply, history)
    PUT    /v1/stores/{store}/prices                                    s        PricesPut → Accepted
    PUT    /v1/stores/{store}/supply                                    s        SupplyPut → Accepted
    PUT    /v1/stores/{store}/history                                   s        HistoryPut → Accepted
    GET    /v1/stores/{store}/skus?search=&sort=&after=&limit=          h r t s  Page[SkuView]
    GET    /v1/stores/{store}/skus/{sku}                                h r t s  SkuView
    GET    /v1/stores/{store}/skus/{sku}/series?from_ms=&to_ms=&step=15m|1h|1d h r t s  SkuSeries
    GET    /v1/overview?from_ms=&to_ms=                                 h r t    Overview
    GET    /v1/skus/{sku}/days/{day}                                    h r t    Page[SkuDay]                  (one SKU in all stores)
    GET    /v1/categories/hours?from_ms=&to_ms=&top=                    h r t    Page[CategoryHour]            (leading categories by region)
    GET    /v1/regions/outlook?region=&limit=                           h r t    RegionalOutlook               (categories in demand)
    GET    /v1/accounting?store=&limit=                                 h r t    Accounting
    GET    /v1/alerts?store=&open=                                      h r t    Page[AlertView]
    GET    /v1/quarantine?store=                                        h r t    Page[QuarantineView]
    GET    /v1/stores/{store}/skus/{sku}/ordering                       h r t s  OrderingView                (why it is not being ordered)
    GET    /v1/stores/{store}/proposals?sku=&after=&limit=              h r t s  Page[ProposalView]            (what came of each: why nothing was ordered)
    GET    /v1/triggers?store=&state=&after=&limit=                     h r t s  Page[TriggerView]
    GET    /v1/triggers/{trigger}                                       h r t s  TriggerView
    GET    /v1/triggers/{trigger}/evidence                              h r t s  Evidence                      (recomputed on the spot)
    POST   /v1/triggers/{trigger}/approve                               h r t    Decision → TriggerView
    POST   /v1/triggers/{trigger}/reject                                h r t    Decision → TriggerView
    POST   /v1/triggers/{trigger}/snooze                                h r t    Snooze → TriggerView          (contract.api.suppliers)
    POST   /v1/triggers/{trigger}/statuses                              s        StatusPost → TriggerView      (idempotent on trigger, revision, status)
    POST   /v1/orders                                                   s        OutsideOrder → Accepted       (counts as on-order)
    POST   /v1/deliveries                                               s        DeliveryNote → Accepted       (on-order until the gateway has it)
    GET    /v1/stores/{store}/deliveries                                h r t s  Page[DeliveryLineView]
    POST   /v1/stores/{store}/assortment                                s        AssortmentPost → Accepted     (list, delist, pack, gtin: from a date on)
    GET    /v1/stores/{store}/assortment                                h r t s  Page[AssortmentView]
    GET    /v1/suppliers                                                h s      Page[SupplierView]
    POST   /v1/suppliers                                                h s      text/csv → ImportReport        (good rows are taken, bad ones told)
    GET    /v1/stores/{store}/calendar                                  h r t s  CalendarView                (holidays, promotions, weather)
    PUT    /v1/stores/{store}/calendar                                  h s      Calendar → Accepted
    POST   /v1/stores/{store}/calendar                                  h s      text/csv → ImportReport
    POST   /v1/stores/{store}/calendar/remove                           h s      CalendarRemoval → Accepted
    GET    /v1/calendar?region=                                         h s      KeptCalendar                (what a shop that opens now would get, and who has it)
    PUT    /v1/calendar?region=                                         h s      Calendar → CalendarsPut      (of every store of the region, or of the chain)
    POST   /v1/calendar?region=                                         h s      text/csv → CalendarsReport
    POST   /v1/calendar/remove?region=                                  h s      CalendarRemoval → CalendarsRemoved
    PUT    /v1/suppliers/{supplier}                                     h s      SupplierPut → SupplierView    (calendar and cut-offs)
    PUT    /v1/suppliers/{supplier}/availability                        h s      AvailabilityPut → Accepted    (what it can ship)
    GET    /v1/suppliers/{supplier}/arrivals                            h s      Page[Arriving]              (what its depot expects)
    PUT    /v1/suppliers/{supplier}/arrivals                            h s      ArrivalsPut → Accepted
    POST   /v1/suppliers/{supplier}/arrivals                            h s      text/csv → ImportReport
    PUT    /v1/stores/{store}/budget                                    s        BudgetPut → Accepted          (a day's orders without a person)
    GET    /v1/mismatch?store=&region=&sku=&side=&limit=                h r t s  Page[MismatchView]            (surplus here, shortage there)
    GET    /v1/mismatch/regions                                         h r t s  Page[MismatchRegion]          (its sums by region)
    GET    /v1/stores/{store}/transfers                                 h r t s  Page[TransferView]            (what leaves it, what comes)
    POST   /v1/stores/{store}/replay                                    h r t    ReplayPost → ReplayView       (stored weeks under a changed rule)
    GET    /v1/kill-switches                                            h r t    Page[KillSwitch]
    PUT    /v1/kill-switches                                            h r t    KillSwitch → KillSwitch       (scope chain | store | supplier)
    PUT    /v1/stores/{store}/config                                    s h      ConfigPut → Accepted          (rules and gates of its gateways)
    GET    /v1/stores/{store}/config                                    h r t s  ConfigView                    (as it was put)
    POST   /v1/alerts/acknowledge                                       h r t    AlertNote → Accepted
    PUT    /v1/bundles/{sha256}                                         s        BundlePut → BundleView        (signed; checked as a gateway does)
    GET    /v1/bundles                                                  s h      Page[BundleView]
    GET    /v1/rollouts                                                 h        Page[RolloutView]             (what shops said, and scores)
    POST   /v1/rollouts                                                 h        RolloutPost → RolloutView
    GET    /v1/rollouts/{number}                                        h        RolloutView
    GET    /v1/rollouts/{number}/stores                                 h        Page[RolloutStore]
    POST   /v1/rollouts/{number}/{action}                               h        RolloutAction → RolloutView   (widen | halt | resume | roll-back | promote)
    GET    /v1/feed?after=&wait=&limit=&types=                          s m      Feed                          (wait: seconds, at most 30)
    POST   /v1/webhooks                                                 s m      WebhookPost → WebhookCreated (the secret is shown once)
    GET    /v1/webhooks                                                 s m h    Page[WebhookView]
    DELETE /v1/webhooks/{webhook}                                       s m      204
    POST   /v1/webhooks/{webhook}/replay?after=                         s m      Accepted                     (sends the feed's rows again)
    PUT    /v1/members/{member}                                         m        MemberPut → 204               (consents, H3 cell; never coordinates)
    DELETE /v1/members/{member}                                         m        204
    PUT    /v1/campaigns/{campaign}                                     h        CampaignPut → CampaignView
    POST   /v1/campaigns/{campaign}/change                              h        CampaignChange → CampaignView (pause, end, budget)
    GET    /v1/campaigns                                                h        Page[CampaignView]            (the funnel)
    GET    /v1/audit?store=&after=                                      h r t    Page[AuditView]
    GET    /v1/doors                                                    h        DoorsView                     (what was turned away, and webhooks)
    POST   /v1/webhooks/{webhook}/secret                                s m      SecretRotation → WebhookCreated (both sign for a while)
    POST   /v1/sessions                                                 -        LogIn → SessionMade          (name and password, or a one-time link)
    DELETE /v1/sessions/mine                                            *        204                          (people only: logs out)
    GET    /v1/me                                                       *        Me
    GET    /healthz                                                     -        Health
"""

from contract.api.common import Accepted, Decision, Health, Page, Problem

__all__ = ["Accepted", "Decision", "Health", "Page", "Problem"]
