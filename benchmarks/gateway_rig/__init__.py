"""What `benchmarks/gateway.py` measures with: a shop, a publisher that is not paho, a sink centre, the peers."""
