"""`python -m mtclar`, which `torchrun -m mtclar` needs; the same as the command `mtclar`."""

from mtclar.cli import main

if __name__ == "__main__":
    main()
