"""What strangers send, changed at random under the guidance of coverage: see `__main__`."""
