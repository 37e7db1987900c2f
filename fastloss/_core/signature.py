"""What a call of a loss takes and returns, as its family declares it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int | str, ...]

NUMBER: Shape = ()
ROW: Shape = ("class",)


class Argument(NamedTuple):
    """An array that a call takes.

    Parameters
    ----------
    name : str
        What the caller knows it as.
    shapes : tuple of tuple, default=((),)
        Its core dimensions: what of it belongs to one target. () is one number, (2,) two columns along the last axis,
        ("class",) a number for each class, however many there are. Of several the caller chooses one.
    optional : bool, default=False
        Whether None may be given in its place.
    keyword : bool, default=False
        Whether it is given by name alone, and may be left out.
    shared : bool, default=False
        Whether all targets have it in common, as the centres of classes: its core dimensions are then all it has.
    description : str, default=""
        What it is, for the documentation of a call.
    """

    name: str
    shapes: tuple[Shape, ...] = (NUMBER,)
    optional: bool = False
    keyword: bool = False
    shared: bool = False
    description: str = ""


@dataclass(frozen=True)
class Signature:
    """What a call of a loss takes and returns.

    It says what the signature of a generalized ufunc says in NumPy, the core dimensions of each array; all other axes
    hold further targets. Everything that depends on a loss's family asks for it.

    Parameters
    ----------
    targets : tuple of Argument
        The arrays that have no derivative.
    predictions : tuple of Argument
        The arrays that have one, each of its own shape.
    losses : tuple, default=()
        The core dimensions of the result: () is one loss, (3,) one for each of three columns.
    additive : bool, default=True
        Whether the loss of a sample is a mean of these losses, so that the states of its parts merge, and the Hessian
        is that of each. Otherwise it is one number for the whole sample, along a single axis, or one for each row of a
        batch, all of which depend on the others.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Huber().signature.single, fl.GaussianNLL().signature.columns, fl.MultiQuantile().signature.losses
    (True, 2, (3,))
    >>> fl.CrossEntropy().signature.targets
    (Argument(name='y_true', shapes=((), ('class',)), optional=False, keyword=False, shared=False, description=''),)
    """

    targets: tuple[Argument, ...] = (Argument("y_true"),)
    predictions: tuple[Argument, ...] = (Argument("y_pred"),)
    losses: Shape = NUMBER
    additive: bool = True

    # The questions that are asked, most of them in every call.

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays, targets first, and last what is given by name alone."""
        return tuple(argument.name for argument in self.arguments)

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """The arrays in the order in which a call takes them."""
        return tuple(sorted((*self.targets, *self.predictions), key=lambda argument: argument.keyword))

    @cached_property
    def single(self) -> bool:
        """Whether a target has one prediction, a number."""
        return [argument.shapes for argument in self.predictions] == [(NUMBER,)]

    @cached_property
    def columns(self) -> int | None:
        """How many predictions a target has along the last axis; None where it has one, or a row of classes."""
        last = self.predictions[0].shapes[0][-1:]
        return last[0] if last and isinstance(last[0], int) else None

    @cached_property
    def pair(self) -> bool:
        """Whether one loss is of two predictions, side by side."""
        return self.columns == 2 and self.losses == NUMBER

    @cached_property
    def rowwise(self) -> bool:
        """Whether a prediction is a row of classes, along the axis that the loss's `axis` says."""
        return self.predictions[0].shapes == (ROW,)

    @cached_property
    def labels(self) -> bool:
        """Whether a row of classes may have a label."""
        return self.rowwise and NUMBER in self.targets[0].shapes

    @cached_property
    def dense(self) -> bool:
        """Whether a row of classes may have a target for each class."""
        return self.rowwise and ROW in self.targets[0].shapes

    @cached_property
    def unsupervised(self) -> bool:
        """Whether no target is needed: one says only whether its prediction counts."""
        return all(argument.optional for argument in self.targets)

    def check(self, owner: str, y: tuple[int, ...], x: tuple[int, ...]) -> None:
        """Refuse shapes of targets and predictions that do not belong together, where no axis is one of classes."""
        columns = self.columns
        if columns is None:
            if y != x:
                raise ValueError(f"{owner}: y_true has shape {y}, must match y_pred's {x}")
        elif x[-1:] != (columns,):
            raise ValueError(
                f"{owner}: y_pred has shape {x}, must be {(*y, columns)}: {columns} predictions per target"
            )
        elif y != x[:-1]:
            raise ValueError(f"{owner}: y_true has shape {y}, must be {x[:-1]}, y_pred's {x} without its last axis")
        if not self.additive and sum(length > 1 for length in y) > 1:
            raise ValueError(
                f"{owner}: y_true has shape {y}, must have one axis: of several outputs some libraries take the mean"
                " of their losses, others one loss of all elements, for which ravel both arrays"
            )


ELEMENTWISE = Signature()
SAMPLE = Signature(additive=False)


def of_columns(number: int, *, losses: Shape = NUMBER) -> Signature:
    """That of so many predictions for each target, along the last axis."""
    return Signature(predictions=(Argument("y_pred", ((number,),)),), losses=losses)


def of_rows(*targets: Shape, optional: bool = False, names: tuple[str, str] = ("y_true", "y_pred")) -> Signature:
    """That of rows of classes, with targets of one of some shapes."""
    true, pred = names
    return Signature((Argument(true, targets, optional),), (Argument(pred, (ROW,)),))
