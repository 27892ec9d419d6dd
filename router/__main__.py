"""`python -m router`: the same as the command `vanban`."""

from router.cli import main

if __name__ == "__main__":
    main()
