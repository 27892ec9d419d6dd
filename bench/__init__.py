"""Workloads, benchmarks and the simulator of vanban-router."""
