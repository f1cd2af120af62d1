"""Rules that a gateway minds alone, with the line down: each raises an alert, and clears it with a band in between."""
