"""Load the plugins that the settings name.

This module is separate from `recipes`, so that completion in a shell imports no database.
"""

from app.core.settings import Settings, get_settings
from models.spec import plugins
from models.spec.recipe import Recipe


def load(settings: Settings) -> None:
    """Load the plugins that the settings name. Raises PluginFailed."""
    plugins.load(settings.plugin_names)


def require(recipe: Recipe) -> None:
    """Load the plugins if the recipe uses any, and check that it can use them. Raises PluginMissing, PluginFailed."""
    if recipe.plugins:
        load(get_settings())
        plugins.require_loaded(recipe)
