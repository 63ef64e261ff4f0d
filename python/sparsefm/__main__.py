"""`python -m sparsefm`: the command line."""

from sparsefm.cli.main import main

if __name__ == "__main__":
    main()
