"""Models at the edge and the centre: features, bundles, inference; training beside them."""

import os

# ONNX Runtime's builds report model names, hashes and a machine id to their maker, from 1.29 on Linux too, unless this is
# set before it is loaded. What a shop runs is the shop's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
