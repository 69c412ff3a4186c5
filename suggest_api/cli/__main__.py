"""`python -m suggest_api.cli` is `firstline`."""

from suggest_api.cli import main

if __name__ == "__main__":
    main()
