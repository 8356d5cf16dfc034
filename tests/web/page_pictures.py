"""Give picture files to a page, and read its pictures."""

import base64
from typing import Any

from playwright.sync_api import Locator, Page

TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type: "image/png"}));
  }
  return transfer;
}"""
READ = """async (image) => {
  await image.decode?.();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


def transfer(page: Page, *files: tuple[str, bytes]) -> Any:
    """Return a DataTransfer of PNG files, names and contents, for an event of the page."""
    return page.evaluate_handle(TRANSFER, [[name, base64.b64encode(data).decode()] for name, data in files])


def read(picture: Locator) -> bytes:
    """Return an image or a canvas of the page as a PNG."""
    return base64.b64decode(picture.evaluate(READ))
