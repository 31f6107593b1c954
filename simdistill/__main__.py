"""`python -m simdistill` is the same as `simdistill`."""

from simdistill.cli import main

if __name__ == "__main__":
    main()
