"""The serial wire, pure: frames, the link between two ends, and what travels inside. Both ends use it.

`frame` turns bytes into frames; `link` makes a lossy wire a reliable one; `dialects` says what a message is;
`device_end` joins the three for whoever plays the device. No clock, file, socket or random number.
"""
