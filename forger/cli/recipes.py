"""`forger recipes`: the families, and what one of them decides."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import ask, complete

if TYPE_CHECKING:
    from forger.schemas.catalog import DialOut

group = typer.Typer(help="The families that can be trained.")


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: ask.AsJson = False) -> None:
    """List the families."""
    if ctx.invoked_subcommand is not None:
        return
    known = ask.forger(ctx).recipes()
    if as_json:
        ask.put_json(known)
        return
    ask.table(
        ("FAMILY", "GAME", "CLASSES", "DATASET", "TITLE"),
        (
            (one.name, one.game, "yes" if one.conditional else None, one.defaults["data"]["dataset"], one.title)
            for one in known
        ),
    )


@group.command(no_args_is_help=True)
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A family.", autocompletion=complete.families)],
    as_json: ask.AsJson = False,
) -> None:
    """A family's whole recipe and the settings one would turn. --json: also the schema."""
    known = ask.forger(ctx).recipe(name)
    if as_json:
        ask.put_json(known)
        return
    ask.pairs({"family": known.name, "title": known.title, "use": known.use, "paper": known.paper, "game": known.game})
    typer.echo("\nSettings to turn, with --set:")
    ask.table(("SETTING", "DEFAULT", "FROM", "TO", "WHAT"), map(_row, known.dials))
    typer.echo(
        f"\nThe whole recipe on {known.defaults['data']['dataset']}, as --recipe takes it; that on another dataset:"
    )
    typer.echo(f"forger train {known.name} --dataset NAME --dry-run --json")
    typer.echo(json.dumps(known.defaults, indent=2, ensure_ascii=False))


def _row(dial: "DialOut") -> tuple[str, ...]:
    path = dial.path.removeprefix("/").replace("/", ".")
    low = f"{'above ' if dial.exclusive_minimum else ''}{dial.minimum:.9g}"
    return path, f"{dial.default:.9g}", low, f"{dial.maximum:.9g}", dial.title
