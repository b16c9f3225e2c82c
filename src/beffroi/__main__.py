"""`python -m beffroi` is `beffroi`."""

from beffroi.cli import main

if __name__ == "__main__":
    main()
