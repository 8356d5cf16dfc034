"""The packages that make up the service."""

PACKAGES = ("app", "data", "forger", "models", "serving", "worker")
