"""Workloads: real administrative units, a national directory, a province's day, test keys."""
