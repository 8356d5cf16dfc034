"""The packages that make up the service and its client."""

PACKAGES = ("app", "data", "forger", "models", "serving", "worker")
