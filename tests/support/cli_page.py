"""The page docs/cli.md: its blocks, made quick to run, and the files that it names."""

import re
from pathlib import Path

from PIL import Image

from app.core.settings import CHECKOUT
from tests.support.foreign_networks import CycleganResnet, save_pth, trained

_PAGE = (CHECKOUT / "docs" / "cli.md").read_text()
_STEPS = "4"
"""replaces the page's numbers of steps"""


def blocks(language: str) -> list[str]:
    """Return the page's blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)


def with_few_steps(line: str) -> str:
    """Shorten the training of a command that waits for its end."""
    return re.sub(r"--steps \d+", f"--steps {_STEPS}", line) if "--follow" in line else line


def with_few_json_steps(text: str) -> str:
    """Shorten the budgets in JSON or Python."""
    return re.sub(r'"steps": \d+', f'"steps": {_STEPS}', text)


def write_files(folder: Path) -> None:
    """Write the files that the page names."""
    image = Image.effect_mandelbrot((33, 21), (-2, -1, 1, 1), 20)
    image.convert("RGB").save(folder / "photo.jpg")
    for name in ("latest_net_G_A.pth", "latest_net_G_B.pth"):
        save_pth(trained(CycleganResnet(blocks=6)).state_dict(), folder / name)
    image.save(folder / "drawing.png")
    image.save(folder / "small.png")
    (folder / "examples").symlink_to(CHECKOUT / "examples")
    (folder / "ring.json").write_text(with_few_json_steps(blocks("json")[0]))
    Image.merge("LA", (image, image.point(lambda level: 255 * (level > 20)))).save(folder / "hole.png")
    Image.linear_gradient("L").resize(image.size).point(lambda level: 255 * (level > 99)).save(folder / "mask.png")
    for name in ("cats", "dogs"):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(6):
            Image.effect_noise((20, 16), 40 + number).save(folder / "pets" / name / f"{number}.png")
