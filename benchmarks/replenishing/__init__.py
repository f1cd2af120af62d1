"""What benchmarks/replenishment.py is made of."""
