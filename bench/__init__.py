"""Benchmarks: ratios against floors in one run (see README.md)."""
