"""What benchmarks/outage.py needs: a shop's records, day by day, and the processes that drain them."""
