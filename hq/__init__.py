"""Headquarters' pages: a process of its own that reads and acts only through the centre's API.

`charts/` are pure functions that give ECharts options, `words` and `needs` pure text; `central_api` is the one
door to the centre; `pages/` put them together; `web` serves them.
"""
