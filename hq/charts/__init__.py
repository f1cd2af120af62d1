"""Charts as pure functions: values of the API in, ECharts option dictionaries out. Tested without a browser.

Keys that start with ":" carry a JavaScript expression (NiceGUI's convention). The number of series of a chart is
constant, so that an update merges into what is shown and keeps the reader's zoom.
"""

from typing import Any

Option = dict[str, Any]
