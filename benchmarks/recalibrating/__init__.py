"""What benchmarks/models.py says of recalibration is made of."""
