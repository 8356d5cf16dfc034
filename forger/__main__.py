"""`python -m forger.cli` is `forger`."""

from forger.cli.root import main

main()
