"""Run `forger recipes`: list the families, and show recipe."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common, complete, printing

if TYPE_CHECKING:
    from forger.schemas.catalog import DialOut

group = typer.Typer(help="List and show the recipe families.")


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: common.AsJson = False) -> None:
    """List the families."""
    if ctx.invoked_subcommand is not None:
        return
    recipes = common.client(ctx).recipes()
    if as_json:
        printing.print_json(recipes)
        return
    printing.print_table(
        ("FAMILY", "GAME", "CONDITIONAL", "DATASET", "TITLE"),
        (
            (
                recipe.name,
                recipe.game,
                "yes" if recipe.conditional else None,
                recipe.defaults["data"]["dataset"],
                recipe.title,
            )
            for recipe in recipes
        ),
    )


@group.command(no_args_is_help=True)
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A family.", autocompletion=complete.families)],
    as_json: common.AsJson = False,
) -> None:
    """Show a family's whole recipe and its main settings; --json adds the schema."""
    recipe = common.client(ctx).recipe(name)
    if as_json:
        printing.print_json(recipe)
        return
    printing.print_facts(
        {"family": recipe.name, "title": recipe.title, "use": recipe.use, "paper": recipe.paper, "game": recipe.game}
    )
    typer.echo("\nSettings to turn, with --set:")
    printing.print_table(("SETTING", "DEFAULT", "FROM", "TO", "WHAT"), map(_row, recipe.dials))
    typer.echo(
        f"\nThe whole recipe on {recipe.defaults['data']['dataset']}, as --recipe takes it; that on another dataset:"
    )
    typer.echo(f"forger train {recipe.name} --dataset NAME --dry-run --json")
    typer.echo(json.dumps(recipe.defaults, indent=2, ensure_ascii=False))


def _row(dial: "DialOut") -> tuple[str, ...]:
    path = dial.path.removeprefix("/").replace("/", ".")
    low = f"{'above ' if dial.exclusive_minimum else ''}{dial.minimum:.9g}"
    return path, f"{dial.default:.9g}", low, f"{dial.maximum:.9g}", dial.title
