"""Define the command line: global options and the commands.

A command imports its modules when it runs, so that help and completion are fast.
"""

import io
import sys
from typing import Annotated

import typer

from forger.cli import (
    augment,
    compare,
    datasets,
    directions,
    experiments,
    inversion,
    jobs,
    latent,
    model_inputs,
    model_jobs,
    models,
    pictures,
    recipes,
    refusals,
    service,
    train,
)
from forger.cli.common import Target

cli = typer.Typer(
    cls=refusals.RefusingGroup,
    help="Trains generative adversarial networks as jobs and serves what they learn.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.command("serve")(service.serve)
cli.command("train", no_args_is_help=True)(train.train)
cli.add_typer(jobs.group, name="jobs")
cli.command("extend", no_args_is_help=True)(jobs.extend)
cli.command("evaluate", no_args_is_help=True)(model_jobs.evaluate)
cli.command("compare", no_args_is_help=True)(compare.compare)
cli.command("experiment", no_args_is_help=True)(experiments.experiment)
cli.add_typer(experiments.group, name="experiments")
cli.command("sample")(pictures.sample)
cli.command("interpolate", no_args_is_help=True)(latent.interpolate)
cli.add_typer(latent.group, name="latent")
cli.command("invert", no_args_is_help=True)(inversion.invert)
cli.add_typer(directions.group, name="directions")
cli.command("edit", no_args_is_help=True)(directions.edit)
cli.command("translate", no_args_is_help=True)(pictures.translate)
cli.command("inpaint", no_args_is_help=True)(model_inputs.inpaint)
cli.command("upscale", no_args_is_help=True)(model_inputs.upscale)
cli.command("features", no_args_is_help=True)(model_inputs.features)
cli.command("generate", no_args_is_help=True)(model_jobs.generate)
cli.command("translate-dataset", no_args_is_help=True)(model_jobs.translate_dataset)
cli.command("augment", no_args_is_help=True)(augment.augment)
cli.add_typer(models.group, name="models")
cli.add_typer(datasets.group, name="datasets")
cli.add_typer(recipes.group, name="recipes")
cli.command("doctor")(service.doctor)
cli.command("migrate")(service.migrate)


@cli.callback()
def options(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="FORGER_URL", help="Address of the service.")] = None,
    key: Annotated[
        str | None, typer.Option(envvar="FORGER_API_KEY", help="Its key.", show_default=False, show_envvar=True)
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=service.version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = Target(url or None, key or None)


def main() -> None:
    # File names may contain characters that the terminal cannot show.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="forger")
