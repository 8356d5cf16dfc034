"""The version of this code, wherever it runs from: a checkout, an image, an installed package."""

VERSION = "0.1.0"
