"""Run `forger interpolate` and `forger latent`: latents of samples, their pictures, and sums of them."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from forger.cli import common, complete
from forger.cli.pictures import (
    FORMATS,
    PNG_ONLY,
    Format,
    Model,
    Out,
    Temperature,
    Truncation,
    save_bytes,
    save_picture,
    value_by_ending,
)
from forger.cli.refusals import Refusal
from forger.text import counted

group = typer.Typer(help="Draw, show and add latents, the vectors that generators turn into pictures.")

WalkFormat = Literal["png", "webp", "apng", "zip", "json"]
WALK_FORMATS: dict[str, WalkFormat] = {name: name for name in get_args(WalkFormat)}
"""formats of interpolations by the ending of the file"""
ENDINGS: dict[str, Format] = {name: name for name in FORMATS}
JSON_ONLY = {"json": "json"}
FIGURE_FORMATS = PNG_ONLY | JSON_ONLY
TERM = re.compile(r"(?:(?P<factor>[0-9]*\.?[0-9]+)\*)?(?P<samples>.+)")

Samples = Annotated[list[str], typer.Argument(help="SEED, SEED.INDEX or SEED.INDEX:CLASS, two or more.")]
ClassOption = Annotated[
    str | None, typer.Option("--class", "-c", help="Class of samples that name none: a number or a name.")
]
NamedModel = Annotated[str, typer.Option(help="name or name@version.", autocompletion=complete.models)]
Scale = Annotated[int | None, typer.Option(help="Enlarge by whole pixels, 1 to 16.")]


def interpolate(
    ctx: typer.Context,
    samples: Samples,
    output: Out = Path("way.webp"),
    frames: Annotated[int | None, typer.Option(help="Number of pictures, default 16.")] = None,
    mode: Annotated[
        Literal["slerp", "linear"] | None, typer.Option(help="On great circles (default), or on straight lines.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the beginning.")] = False,
    class_: ClassOption = None,
    model: Model = None,
    temperature: Temperature = None,
    truncation: Truncation = None,
    scale: Scale = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second of an animation, default 12.")] = None,
) -> None:
    """Draw the way from sample to sample: `forger interpolate 1:3 2:7 -o way.webp`; .png is a strip of all frames."""
    if len(samples) < 2:
        raise Refusal("An interpolation has two samples or more, such as `forger interpolate 1 2`.")
    drawn = common.client(ctx).interpolate(
        *samples,
        frames=frames,
        mode=mode,
        loop=loop or None,
        class_=class_,
        model=model,
        temperature=temperature,
        truncation=truncation,
        scale=scale,
        fps=fps,
        format=value_by_ending(output, WALK_FORMATS),
    )
    save_picture(drawn, output, f"{' to '.join(samples)}, by {drawn.model}")


@group.command()
def draw(
    ctx: typer.Context,
    class_: ClassOption = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of latents.")] = 1,
    output: Out = Path("latents.json"),
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Equal seeds draw equal latents.")] = None,
    temperature: Temperature = None,
    truncation: Truncation = None,
) -> None:
    """Write the latents of samples: `forger latent draw -n 4 --seed 1 -o latents.json`."""
    value_by_ending(output, JSON_ONLY)
    drawn = common.client(ctx).latents(
        class_, n, model=model, seed=seed, temperature=temperature, truncation=truncation
    )
    what = f"{counted(n, 'latent')}, seed {drawn.seed}, by {drawn.model}"
    save_bytes(drawn.model_dump_json().encode() + b"\n", output, what)


@group.command(no_args_is_help=True)
def show(
    ctx: typer.Context,
    latents: Annotated[Path, typer.Argument(help="A JSON file of `forger latent draw`, or a list of latents.")],
    output: Out = Path("shown.png"),
    class_: Annotated[str | None, typer.Option("--class", "-c", help="Default: the classes in the file.")] = None,
    model: Model = None,
    scale: Scale = None,
) -> None:
    """Generate the pictures of latents: `forger latent show latents.json -o shown.png`."""
    format_, body = value_by_ending(output, ENDINGS), read_latents(latents)
    chosen = model or body.get("model")
    if chosen is None:
        raise Refusal(f"{latents} names no model: write --model NAME.")
    own = {name: body.get(name) for name in ("classes", "class_weights")} if class_ is None else {}
    drawn = common.client(ctx).decode(body["latents"], model=chosen, class_=class_, scale=scale, format=format_, **own)
    save_picture(drawn, output, f"{counted(len(body['latents']), 'latent')}, by {drawn.model}")


@group.command("sum", no_args_is_help=True)
def sum_(
    ctx: typer.Context,
    terms: Annotated[
        list[str], typer.Argument(help="Samples with + and - between them; 1,2,3 is a mean, 0.5*1 has a weight.")
    ],
    model: NamedModel,
    output: Out = Path("sum.png"),
    class_: Annotated[str | None, typer.Option("--class", "-c", help="Class of the result.")] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Give the result the length that draws from the prior have.")
    ] = False,
    temperature: Temperature = None,
    truncation: Truncation = None,
    scale: Scale = None,
) -> None:
    """Add latents: `forger latent sum 1,2,3 - 4,5,6 + 7,8,9 --model dcgan-faces`; .json has the latents too."""
    how: dict[str, Any] = {
        "model": model, "class_": class_, "normalise": normalise or None, "temperature": temperature,
        "truncation": truncation, "scale": scale,
    }  # fmt: skip
    parsed, forger = parse_sum(terms), common.client(ctx)
    if value_by_ending(output, FIGURE_FORMATS) == "json":
        reply = forger.add_latents(parsed, **how)
        save_bytes(reply.model_dump_json().encode() + b"\n", output, f"{' '.join(terms)}, by {reply.model}")
        return
    drawn = forger.latent_figure(parsed, **how)
    save_picture(drawn, output, f"{' '.join(terms)}, by {drawn.model}")


def parse_sum(words: list[str]) -> list[dict[str, Any]]:
    """Return the terms of a sum. Raises Refusal.

    >>> parse_sum(["1,2", "-", "0.5*3:7"])
    [{'weight': 1.0, 'samples': ['1', '2']}, {'weight': -0.5, 'samples': ['3:7']}]
    """
    terms: list[dict[str, Any]] = []
    sign: float | None = None
    for word in words:
        if word in ("+", "-"):
            if sign is not None:
                raise Refusal(f"Two signs stand beside each other at '{word}': write a sample between them.")
            sign = 1.0 if word == "+" else -1.0
            continue
        if terms and sign is None:
            raise Refusal(f"'{word}' follows a sample: write + or - between them, as in 1 - 2 + 3.")
        match = TERM.fullmatch(word)
        factor, samples = (match["factor"], match["samples"]) if match else (None, word)
        terms.append({"weight": (sign or 1.0) * float(factor or 1), "samples": samples.split(",")})
        sign = None
    if sign is not None:
        raise Refusal("The sum ends with a sign: write a sample behind it.")
    return terms


def read_latents(file: Path) -> dict[str, Any]:
    """Return the latents of a file, and the model and classes if it names them. Raises Refusal."""
    try:
        body = json.loads(file.read_text())
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}.") from error
    except ValueError as error:
        raise Refusal(f"{file} is no JSON: name a file of `forger latent draw`.") from error
    found = body if isinstance(body, dict) else {"latents": body}
    if isinstance(found.get("result"), dict):
        result = found["result"]
        weights = result.get("class_weights")
        found = {"model": found.get("model"), "latents": [result.get("latent")]}
        found |= {} if weights is None else {"class_weights": [weights]}
    rows = found.get("latents")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise Refusal(f"{file} has no latents: name a file of `forger latent draw`.")
    return found
