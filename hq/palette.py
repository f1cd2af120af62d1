"""Colours of states (Okabe & Ito's palette, which colour-blind readers can tell apart) and of the page's greys."""

OURS = "#0072B2"
"""What happened, and what is ours to do."""
FORECAST = "#56B4E9"
WARNING = "#E69F00"
ERROR = "#D55E00"
"""Stock-outs, losses, failures."""
OK = "#009E73"
HISTORY = "#9AA0A6"

INK = "#1F2328"
QUIET = "#667085"
LINE = "#E4E7EC"
GROUND = "#FFFFFF"
SOFT = "#F6F7F9"

NEUTRALS = {INK: "--ink", QUIET: "--quiet", LINE: "--line", GROUND: "--ground", SOFT: "--soft"}
"""Greys of the page: charts take them from the style sheet, which has two of each, for light and for dark."""
