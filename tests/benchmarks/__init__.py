"""Tests the benchmarks: generated data, baselines, report and a short run, but no measured figure."""
