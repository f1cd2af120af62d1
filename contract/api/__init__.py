"""Models of the centre's HTTP API, shared by the centre (which serves it) and HQ (which reads it).

Every error is `application/problem+json` (`Problem`). Every route but /healthz and /openapi.json wants
`Authorization: Bearer …`. Scopes: g gateway key, s system (replenishment), h HQ, m member app, a admin (may all but g).

    POST   /v1/gateways/{gateway}/batches                g    Batch → BatchReceipt          (contract.batch)
    GET    /v1/gateways                                  h    Page[GatewayView]
    PUT    /v1/stores/{store}                            a s  StorePut → StoreView
    GET    /v1/stores                                    h s  Page[StoreView]
    GET    /v1/stores/{store}                            h s  StoreView
    PUT    /v1/stores/{store}/items                      a s  ItemsPut → Accepted           (whole list; also planogram,
    PUT    /v1/stores/{store}/planogram                  a s  PlanogramPut → Accepted        prices, supply, history)
    PUT    /v1/stores/{store}/prices                     a s  PricesPut → Accepted
    PUT    /v1/stores/{store}/supply                     a s  SupplyPut → Accepted
    PUT    /v1/stores/{store}/history                    a s  HistoryPut → Accepted
    GET    /v1/stores/{store}/skus?search=&sort=&after=&limit=   h s  Page[SkuView]
    GET    /v1/stores/{store}/skus/{sku}                 h s  SkuView
    GET    /v1/stores/{store}/skus/{sku}/series?from_ms=&to_ms=&step=15m|1h|1d   h s  SkuSeries
    GET    /v1/overview?from_ms=&to_ms=                  h    Overview
    GET    /v1/accounting?store=                         h    Accounting
    GET    /v1/alerts?store=&open=                       h    Page[AlertView]
    GET    /v1/quarantine?store=                         h    Page[QuarantineView]
    GET    /v1/triggers?store=&state=&after=&limit=      h s  Page[TriggerView]
    GET    /v1/triggers/{trigger}                        h s  TriggerView
    GET    /v1/triggers/{trigger}/evidence               h s  Evidence                      (recomputed on the spot)
    POST   /v1/triggers/{trigger}/approve                h    Decision → TriggerView
    POST   /v1/triggers/{trigger}/reject                 h    Decision → TriggerView
    POST   /v1/triggers/{trigger}/statuses               s    StatusPost → TriggerView      (idempotent on trigger, revision, status)
    POST   /v1/orders                                    s    OutsideOrder → Accepted       (counts as on-order)
    GET    /v1/kill-switches                             h    Page[KillSwitch]
    PUT    /v1/kill-switches                             h a  KillSwitch → KillSwitch       (scope chain | store | supplier)
    GET    /v1/feed?after=&wait=&limit=&types=           s m  Feed                          (wait: seconds, at most 30)
    POST   /v1/webhooks                                  s m a  WebhookPost → WebhookCreated (the secret is shown once)
    GET    /v1/webhooks                                  s m h  Page[WebhookView]
    DELETE /v1/webhooks/{webhook}                        s m a  204
    POST   /v1/webhooks/{webhook}/replay?after=          s m a  Accepted                     (sends the feed's rows again)
    PUT    /v1/members/{member}                          m a  MemberPut → 204               (consents, H3 cell; never coordinates)
    DELETE /v1/members/{member}                          m a  204
    PUT    /v1/campaigns/{campaign}                      h a  CampaignPut → CampaignView
    GET    /v1/campaigns                                 h    Page[CampaignView]            (the funnel)
    GET    /v1/audit?store=&after=                       h a  Page[AuditView]
    GET    /v1/doors                                     h    DoorsView                     (what was turned away, and webhooks)
    GET    /healthz                                      -    Health
"""

from contract.api.common import Accepted, Decision, Health, Page, Problem

__all__ = ["Accepted", "Decision", "Health", "Page", "Problem"]
