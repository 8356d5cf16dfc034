"""Load the plugins that the settings name. Apart from recipes, so that completion in a shell needs no database."""

from app.core.settings import Settings, get_settings
from models.spec import plugins
from models.spec.recipe import Recipe


def load(settings: Settings) -> None:
    """Raises PluginFailed."""
    plugins.load(settings.plugin_names)


def require(recipe: Recipe) -> None:
    """In a process that has loaded none yet. Raises PluginMissing, PluginFailed."""
    if recipe.plugins:
        load(get_settings())
        plugins.require_loaded(recipe)
