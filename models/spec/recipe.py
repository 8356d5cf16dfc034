"""The recipe: everything that decides what is trained, as one frozen value.

It is the request body, the stored column, the runner's input and the header of the weights file.
"""

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from models.spec.draft import Draft
from models.spec.rules import RULES


class Recipe(Draft):
    """A whole recipe. Build one by hand, or from a family with models.spec.resolve."""

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        for rule in RULES:
            if refusal := rule(self):
                pointer, message = refusal
                raise PydanticCustomError("incoherent", message, {"pointer": pointer})
        return self
