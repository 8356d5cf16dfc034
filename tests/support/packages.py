"""The packages that make up the service."""

PACKAGES = ("app", "data", "models", "serving", "worker")
