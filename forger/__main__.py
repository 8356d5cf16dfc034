"""Run the command line: `python -m forger` is `forger`."""

from forger.cli.root import main

main()
