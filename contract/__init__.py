"""The wire between the packages: frozen messages, topics, ids and the codec. No I/O, no clock.

`devices` are the events that shelves, tills and labels publish; `records` is what a gateway streams up;
`batch` is how it travels and what comes back; `documents` is the desired state that comes back with it;
`api` holds the models of the centre's HTTP API; `events` what the centre sends to the world.
"""
