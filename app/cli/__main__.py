"""`python -m app.cli` is `forger`."""

from app.cli.root import main

main()
