"""What every part of a recipe is: a frozen value that refuses what it does not know."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen pydantic value. Unknown fields, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
