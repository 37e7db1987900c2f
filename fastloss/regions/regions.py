"""Losses of regions, such as masks of images: what they declare, one call of them, and their mergeable sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import mean, moments
from fastloss._core.evaluation import ABSENT, NARROW, Evaluation, Operand, Specification, mismatched
from fastloss._core.isa import kernels
from fastloss._core.loss import RAW, Loss, Scores, choice, integer, weights
from fastloss._core.operands import EXACT_IN_SINGLE, INTEGERS, memory_order, operand, readable
from fastloss._core.parameters import ANY, UNIT, Domain, check_names
from fastloss._core.runtime import (
    BOOL,
    HESS,
    MOMENTS,
    PROPAGATE,
    RAISE,
    VALUE,
    Kernel,
    Mismatch,
    enter_mode,
    leave_mode,
)
from fastloss._core.signature import Argument, Shape, Signature
from fastloss._core.threads import threads_for

_compiled = kernels("regions")
_regions: Callable[..., tuple[int, int]] = _compiled.regions
_settle: Callable[..., None] = _compiled.settle_sums
KERNELS: dict[str, Kernel] = _compiled.KERNELS

REGION = (("region",),)
ARRAYS = ("y_true", "y_pred", "distance", "sample_weight", "mask", "grad_out")  # in the kernel's order
SUMS = 5  # numbers that the kernel keeps of a class in a region: four sums of terms, and that of the weights
SHORT = 512  # images of fewer elements are walked as one, where a region is of all
EMPTY = ("formula", "zero", "one", "mean", "skip")  # in the kernel's order
NO_ACTIVATION, SIGMOID, SOFTMAX = range(3)

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegionSpecification(Specification):
    """What a loss of regions tells the driver."""

    mode: str
    activation: int
    by_image: bool
    by_class: bool
    empty: int
    ignore_index: int | None
    class_weight: Doubles | None


class Regions:
    """What a run of the kernel finds: the sums of each class in each region, and each region's loss."""

    __slots__ = ("counts", "losses", "sums", "weights")

    def __init__(self, images: int, classes: int, by_image: bool, by_class: bool) -> None:
        number = (images if by_image else 1) * (classes if by_class else 1)
        self.sums = np.zeros(((images if by_image else 1) * classes, SUMS))
        self.losses, self.weights, self.counts = np.zeros(number), np.zeros(number), np.zeros(number)

    def total(self) -> tuple[float, float, float]:
        """The sum of weighted losses, that of weights, and their number."""
        mode = enter_mode()
        with np.errstate(all="ignore"):
            found = float((self.weights * self.losses).sum()), float(self.weights.sum()), float(self.counts.sum())
        leave_mode(mode)
        return found


class RegionEvaluation(Evaluation):
    """The arrays of one call, checked, and what to do with them."""

    __slots__ = ("_axis", "_classes", "_distance", "_elements", "_image_weight", "_images", "_labelled", "_limits")

    _loss: Any
    _spec: RegionSpecification

    def _begin(self, *options: Any) -> None:
        super()._begin(*options)
        self._distance = ABSENT

    # What was given

    def _arrange(self) -> None:
        spec, y, x = self._spec, self._y, self._x
        owner, joint = spec.owner, spec.mode == "multiclass"
        if self._x_code in INTEGERS and self._y_code not in INTEGERS:
            raise ValueError(
                f"{owner}: y_pred has dtype {x.dtype} and y_true {y.dtype}, predictions must be floating-point;"
                " did you swap y_true and y_pred?"
            )
        self._axis, self._classes, self._elements = None, 1, x.shape
        if spec.mode != "binary":
            axis = self._loss.axis
            if not -x.ndim <= axis < x.ndim:
                raise ValueError(f"{owner}: y_pred has shape {x.shape}, must have the class axis {axis}")
            self._axis = axis % x.ndim
            self._classes = x.shape[self._axis]
            self._elements = x.shape[: self._axis] + x.shape[self._axis + 1 :]
            if not self._classes:
                raise ValueError(f"{owner}: y_pred has shape {x.shape}, must have at least one class along axis {axis}")
        self._labelled = joint and y.shape == self._elements and self._loss.labels
        if not self._labelled and y.shape != x.shape:
            labels = f"{self._elements} for labels or " if joint and self._loss.labels else ""
            raise ValueError(f"{owner}: y_true has shape {y.shape}, must have y_pred's {labels}{x.shape}")
        if spec.by_image and not self._elements:
            raise ValueError(
                f"{owner}: y_pred has shape {x.shape}, must have an axis of images with {self._loss.groups!r}"
            )
        self._images = self._elements[0] if self._elements else 1
        if spec.class_weight is not None and len(spec.class_weight) != self._classes:
            raise ValueError(
                f"{owner}: class_weight has {len(spec.class_weight)} numbers, must have one for each of the"
                f" {self._classes} classes"
            )
        self._shape = self._loss._shape_of_losses(x.shape)
        exact = self._labelled or self._y_code in EXACT_IN_SINGLE or self._y_code in INTEGERS
        self._single = self._x_code in NARROW and exact
        self._limits = (None if self._labelled else spec.closed[self._single][0], *spec.closed[self._single][1:])
        self._domains = (None,)  # targets are checked, always
        self._weighted |= (
            spec.class_weight is not None or spec.ignore_index is not None or spec.empty == EMPTY.index("skip")
        )

    def _select(self, sample_weight: ArrayLike | None, mask: ArrayLike | None) -> None:
        self._image_weight: Doubles | None = None
        super()._select(sample_weight, mask)

    def _per_element(self, name: str, given: ArrayLike | None) -> Operand:
        """A view of weights or a mask in the shape of the elements; those of images are taken in, as regions of one
        image have them."""
        if given is None:
            return ABSENT
        owner, shape = self._spec.owner, self._elements
        array, code = operand(owner, name, given)
        if self._spec.by_image and array.shape == shape[:1]:
            self._of_images(name, readable(array, code), code)
            return ABSENT
        if array.shape == shape:
            if name == "sample_weight" and self._loss.sorted:
                raise ValueError(
                    f"{owner}: sample_weight has shape {array.shape}, must be one for each image: errors that are"
                    " sorted have no weights, and regions of one image have groups='image' or 'image_class'"
                )
            return Operand(name, array, array, code)
        if shape and array.shape == shape[:1]:
            return self._per_element(name, np.broadcast_to(given_like(given, array, len(shape)), shape))
        also = f" or {shape[:1]}, one for each image" if len(shape) > 1 else ""
        raise ValueError(f"{owner}: {name} has shape {array.shape}, must have the elements' {shape}{also}")

    def _of_images(self, name: str, array: NDArray[Any], code: int) -> None:
        weight = np.ones(self._images) if self._image_weight is None else self._image_weight
        if name == "mask":
            if code != BOOL:
                raise TypeError(f"{self._spec.owner}: mask has dtype {array.dtype}, must be bool")
            self._image_weight = np.where(array, weight, -1.0)
            return
        wide = array.astype(np.float64)
        wrong = np.flatnonzero(~((wide >= 0) & (wide < np.inf)))
        if len(wrong):
            rule = self._spec.rules[3]
            raise ValueError(f"{self._spec.owner}: sample_weight[{wrong[0]}] is {array[wrong[0]]}, must be {rule}")
        self._image_weight = wide

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The type of a result for each region."""
        return np.float32 if self._x_code in NARROW else np.float64

    @property
    def indexed(self) -> bool:
        """Whether there is an axis of images."""
        return len(self._elements) > 0

    def _like(self) -> Any:
        return np.broadcast_to(np.zeros((), self.dtype), self._shape)

    # One run

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        if operation & HESS:
            raise ValueError(f"{self._spec.owner}: there is no grad_and_hess, the Hessian is not diagonal")
        found = self.regions(operation, scale, grads[0] if grads else ABSENT, check=check)
        if value.array is not None:
            value.public[...] = (found.weights * found.losses).reshape(self._shape)
        sums = found.total()
        return (*sums, *moments(found.weights, found.losses)) if operation & MOMENTS else sums

    def regions(
        self, operation: int, scale: float = 1.0, grad: Operand = ABSENT, *, check: bool = True, apart: bool = False
    ) -> Regions:
        """What the kernel finds; `apart` keeps the sums of images apart where a region is of all of them."""
        spec, policy = self._spec, self._nan_policy
        by_image = spec.by_image or apart
        found = Regions(self._images, self._classes, by_image, spec.by_class)
        if not self._x.size:
            return found
        walk = self._walk(by_image)
        class_weight = np.ones(self._classes) if spec.class_weight is None else spec.class_weight
        limits = self._limits if check and any(limit is not None for limit in self._limits) else None
        if not check and policy == RAISE:
            policy = PROPAGATE
        try:
            bad, culprit = _regions(
                spec.kernel,
                operation & ~MOMENTS,
                arrays=(
                    walk(self._y, self._labelled), walk(self._x), walk(self._distance.array),
                    walk(self._weight.array, True), walk(self._kept.array, True), walk(grad.array),
                ),
                dtypes=(
                    self._y_code, self._x_code, self._distance.code, self._weight.code, self._kept.code, grad.code,
                ),
                joint=walk.joint,
                labelled=self._labelled,
                activation=spec.activation,
                empty=spec.empty,
                by_image=by_image,
                by_class=spec.by_class,
                constants=spec.kernel.constants(self._loss._constants(self._classes)),
                domains=limits,
                scale=scale,
                ignored=spec.ignore_index,
                nan_policy=policy,
                single=self._single,
                num_threads=threads_for(self._num_threads, self._x.size),
                sums=found.sums,
                values=found.losses,
                weights=found.weights,
                counts=found.counts,
                image_weight=self._image_weight,
                class_weight=class_weight,
                errors=self._room(),
            )  # fmt: skip
        except Mismatch as error:
            raise mismatched(spec.owner, ARRAYS, error) from None
        if bad >= 0:
            self._refuse(walk, bad, culprit)
        return found

    def _room(self) -> NDArray[Any] | None:
        """Memory for an error of each element, where they are sorted."""
        if not self._loss.sorted:
            return None
        if self._x.size // self._classes >= 2**31:
            raise ValueError(
                f"{self._spec.owner}: y_pred has shape {self._x.shape}, must have fewer than 2**31 elements of a class"
            )
        return np.empty(self._x.size, np.float32 if self._single else np.float64)

    def _walk(self, by_image: bool) -> Walk:
        rest = self._elements[1:]
        together = not by_image and (self._spec.mode == "binary" or math.prod(rest) < SHORT)
        return Walk(self._x, self._axis, together, self._spec.mode == "multiclass")

    def _refuse(self, walk: Walk, bad: int, culprit: int) -> None:
        """Raise for the element that the kernel found."""
        arrays = (self._y, self._x, self._distance.array, self._weight.array)
        codes = (self._y_code, self._x_code, self._distance.code, self._weight.code)
        names = ("y_true", "y_pred", "distance", "sample_weight")
        without_classes = culprit == 3 or (culprit == 0 and self._labelled)
        index = walk.index(bad, without_classes)
        element = readable(arrays[culprit][index], codes[culprit])
        ignored = self._spec.ignore_index
        also = "" if ignored is None or culprit else f", or the ignored {ignored}"
        error: type[Exception] = ValueError
        rule = f"{self._spec.rules[culprit]}{also}"
        if element != element and culprit < 3:
            rule = "a number with nan_policy='raise'"
        elif culprit == 0 and self._labelled:
            rule = f"a class from 0 to {self._classes - 1}{also}"
            error = IndexError if element == np.floor(element) else ValueError
        elif culprit == 1:
            rule += "; of logits with from_logits=True"
        where = "[" + ", ".join(map(str, index)) + "]" if index else ""
        raise error(f"{self._spec.owner}: {names[culprit]}{where} is {element}, must be {rule}")

    # Sums that merge

    @property
    def divisible(self) -> bool:
        return False

    @property
    def separable(self) -> bool:
        return False

    def state(self) -> Any:
        if self._spec.by_image:
            return super().state()
        self._refuse_states()
        return RegionState(self._loss, _rows(self.regions(VALUE).sums))

    def _refuse_states(self) -> None:
        if self._loss.sorted:
            raise ValueError(
                f"{self._spec.owner}: there is no state with groups={self._loss.groups!r}, must be 'image' or"
                " 'image_class': the loss of a region is of its sorted errors, which no sums of parts make up"
            )

    def states(self, groups: Any) -> Mapping[Any, Any]:
        """The state of each group of images."""
        from fastloss._core import labels  # a call of many milliseconds: the import of the package is spared
        from fastloss._core.groups import of_losses

        owner = self._spec.owner
        if not self.indexed:
            raise ValueError(f"{owner}: y_pred is a single number, must have a first axis for groups to index")
        if not self._spec.by_image:
            self._refuse_states()
        coding = labels.encode(owner, groups, self._num_threads)
        if coding.codes.shape != (self._images,):
            raise ValueError(
                f"{owner}: groups has shape {coding.codes.shape}, must be {(self._images,)}, one for each image"
            )
        found = self.regions(VALUE, apart=True)
        if self._spec.by_image:
            shape = self._images, found.losses.size // max(1, self._images)
            losses, weights, counts = (of_all.reshape(shape) for of_all in (found.losses, found.weights, found.counts))
            return of_losses(coding, losses, np.where(counts > 0, weights, -np.inf), self._num_threads)
        codes, present = labels.places(coding), labels.present(coding)
        sums = np.zeros((len(coding), self._classes * SUMS))
        np.add.at(sums, codes, found.sums.reshape(self._images, -1))
        states = [RegionState(self._loss, _rows(sums[k].reshape(self._classes, SUMS))) for k in present]
        return dict(zip(labels.listed(coding.columns(present)), states, strict=True))


def given_like(given: ArrayLike, array: NDArray[Any], ndim: int) -> Any:
    """What was given for each image, with axes for its elements."""
    viewed = given if isinstance(given, np.ndarray) else array
    return viewed.reshape(viewed.shape + (1,) * (ndim - 1))


def _rows(sums: Doubles) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, sums.tolist()))


class Walk:
    """How the kernel walks arrays of the predictions' shape: images, classes, then elements as they lie in memory.

    Images are taken `together`, as further elements, where a region is of all of them. Arrays without an axis of
    classes are the same for each class, or have none where the classes of an element are at hand `joint`.
    """

    def __init__(self, x: NDArray[Any], axis: int | None, together: bool, joint: bool) -> None:
        self.joint = joint
        self._axis, self._together = axis, together
        self._ndim = x.ndim - (axis is not None)
        whole = self._whole(x, False)
        inner = [d for d in memory_order(whole) if d > 1 or (d == 0 and together)]
        self._order = [1, *inner] if together else [0, 1, *inner]
        self._lengths = [whole.shape[d] for d in self._order]

    def _whole(self, array: NDArray[Any], without_classes: bool) -> NDArray[Any]:
        """With axes of images, of classes, and at least one of elements."""
        narrow = without_classes or self._axis is None
        array = array[..., np.newaxis] if self._axis is None or narrow else np.moveaxis(array, self._axis, -1)
        if array.ndim == 1:
            array = array[np.newaxis]
        array = np.moveaxis(array, -1, 1)
        return array if array.ndim > 2 else array[..., np.newaxis]

    def __call__(self, array: Any, without_classes: bool = False) -> Any:
        """The array as the kernel walks it."""
        if array is None:
            return None
        array = self._whole(array, without_classes).transpose(self._order)
        array = array[np.newaxis] if self._together else array
        if not without_classes:
            return array
        if self.joint:
            return array[:, 0]
        classes = self._lengths[0 if self._together else 1]
        return np.broadcast_to(array, (array.shape[0], classes, *array.shape[2:]))

    def index(self, flat: int, without_classes: bool) -> tuple[int, ...]:
        """Where an element that the kernel counts so is in the caller's array."""
        narrow = without_classes and self.joint
        lengths = [1 if narrow and d == 1 else n for d, n in zip(self._order, self._lengths, strict=True)]
        place = dict(zip(self._order, map(int, np.unravel_index(flat, lengths)), strict=True))
        k = place.pop(1)
        found = [place[d] for d in sorted(place)][: self._ndim]
        if self._axis is not None and not without_classes:
            found.insert(self._axis, k)
        return tuple(found)


@dataclass(frozen=True)
class RegionState:
    r"""The sums that a loss of regions is made of, mergeable with those of others.

    ``a + b`` is the state of both, so that the loss of a region that is of several images, of a class in a whole file,
    say, is found from parts that were read apart: it is no mean of the losses of these parts.

    Parameters
    ----------
    loss : Loss
        Whose regions are of all images: ``groups="batch"`` or ``"class"``.
    sums : tuple of tuple of float
        For each class the sums of the loss's terms, such as true positives, false positives and false negatives, and
        last that of the weights of its elements.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.Dice()
    >>> first = loss.state([[1, 1, 0]], [[1.0, 0.0, 0.0]])
    >>> second = loss.state([[0, 1, 0]], [[0.0, 1.0, 1.0]])
    >>> (first + second).mean, loss([[1, 1, 0], [0, 1, 0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    (0.3333333333333333, 0.3333333333333333)
    """

    loss: Any
    sums: tuple[tuple[float, ...], ...]

    def __add__(self, other: RegionState) -> RegionState:
        if not isinstance(other, RegionState):
            return NotImplemented
        if self.loss != other.loss or len(self.sums) != len(other.sums):
            raise ValueError(
                f"RegionState: a state of {self.loss!r} with {len(self.sums)} classes is added to one of {other.loss!r}"
                f" with {len(other.sums)}, must be of one loss and as many classes"
            )
        return RegionState(self.loss, _rows(np.add(self.sums, other.sums)))

    def __radd__(self, other: int) -> RegionState:
        return self if other == 0 else NotImplemented

    @staticmethod
    def merge(states: Iterable[RegionState]) -> RegionState:
        """The state of all elements of several states.

        Parameters
        ----------
        states : iterable of RegionState
            At least one, in the order in which they are folded; another order may change the last bits.

        Returns
        -------
        RegionState
            Their sum.
        """
        each = list(states)
        if not each:
            raise ValueError("RegionState: there is no state to merge, must be at least one")
        return sum(each[1:], each[0])

    @property
    def losses(self) -> Doubles:
        """The loss of each region: one, or one of each class; 0 where it does not count."""
        return self._regions().losses

    @property
    def mean(self) -> float:
        """The mean of the losses of the regions under the weights of their classes; NaN where none counts."""
        total, weight, _ = self._regions().total()
        return mean(total, weight)

    def _regions(self) -> Regions:
        spec, classes = self.loss._spec, len(self.sums)
        found = Regions(1, classes, False, spec.by_class)
        found.sums[...] = self.sums
        _settle(
            spec.kernel,
            sums=found.sums,
            classes=classes,
            empty=spec.empty,
            by_class=spec.by_class,
            constants=spec.kernel.constants(self.loss._constants(classes)),
            values=found.losses,
            weights=found.weights,
            counts=found.counts,
            class_weight=np.ones(classes) if spec.class_weight is None else spec.class_weight,
        )
        return found


# What the losses of this family have in common, in the docstring of each in place of the name in braces.
COMMON = {
    "regions": """
mode : {"binary", "multiclass", "multilabel"}, default="binary"
    What an element belongs to: one class or not, for predictions of the shape of the targets; one of several
    classes, whose targets are labels of any integer type without the class axis, or of the predictions' shape; or
    any of several classes, for targets of the predictions' shape.
""",
    "logits": """
from_logits : bool, default=False
    Whether predictions are logits, of which a sigmoid or for "multiclass" a softmax makes probabilities.
""",
    "groups": """
groups : {"batch", "image", "class", "image_class"}, default="batch"
    What a region is, that has one loss: all elements of all classes, those of an image, those of a class, or those
    of a class in an image. Images lie along the first axis other than that of classes.
""",
    "classes": """
axis : int, default=1
    The axis of the classes.
class_weight : sequence of float, optional
    The weight of the loss of each class, or of its elements where a region has all classes; 0 leaves a class out.
""",
    "empty": """
empty : {"formula", "zero", "one", "mean", "skip"}, default="formula"
    The loss of a region without targets: what the formula gives, which is 0 where nothing is predicted either; 0 or
    1, whatever is predicted; the mean of what is predicted, or with squares that of its squares; or none, so that
    the region does not count.
ignore_index : int, optional
    The target of elements that do not count: they leave all sums.
""",
    "score": """
smooth : float, default=0.0
    What is added to numerator and denominator.
eps : float, default=0.0
    The least denominator, and the least score of which a logarithm is taken.
log_loss : bool, default=False
    The negative logarithm of the score in place of 1 less the score.
""",
    "domain": """
`y_true` lies in [0, 1], or holds labels from 0 to C - 1 with `mode` "multiclass"; `y_pred` lies in [0, 1], or is any
real number with `from_logits`.
""",
    "weights": """
`sample_weight` and `mask` have the shape of the elements, that of `y_pred` without the class axis, and act on the sums:
what has weight 0 leaves all of them, also where it is not finite. With one number for each image they act on its
losses where these are of one image, else on its elements. A mean is over the regions that have an element that counts,
under the weights of their images and classes.
""",
    "numerics": """
Probabilities and their complements are accurate each by itself, in float32 for narrow input; the sums of true
positives, false positives and false negatives in float64 (of float32 terms, which are never negative, four are added up
first), so that the loss of confident right predictions does not cancel. An infinite logit has slope 0; of infinite
logits of a softmax the largest share. A NaN makes its region NaN, value and gradient, and no other.
""",
}


def _closed(domains: Sequence[Domain], dtype: type[np.floating[Any]]) -> tuple[Any, ...]:
    """The domains as the kernel tests them."""
    return tuple(None if domain is ANY else domain.closed(dtype) for domain in domains)


class RegionLoss(Loss):
    """A loss of each region of elements, such as the pixels of an image that are of a class.

    `mode`, `groups` and their like are what the losses of regions have in common; a loss adds the kernel and its own.
    """

    _evaluation: ClassVar[type[Evaluation]] = RegionEvaluation
    common = COMMON
    labels: ClassVar[bool] = True  # a target of several classes may be a label
    mode: Any  # a parameter of most
    sorted: ClassVar[bool] = False  # of the sorted errors of a region, not of sums
    target = UNIT
    groups: str = choice("batch", "image", "class", "image_class", default="batch", kw_only=True)
    axis: int = integer(default=1)
    class_weight: tuple[float, ...] | None = weights(default=None, kw_only=True)

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        return OF_IMAGES if self.groups in ("image", "image_class") else OF_BATCH

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return "logits" if self.parameters()["from_logits"] else "probabilities"

    def _prediction_domain(self) -> Domain:
        return ANY if self.scores in RAW else UNIT

    def _specified(self) -> RegionSpecification:
        given = self.parameters()
        domains = self.domains()
        rules = (*(str(domain) for domain in domains), "finite and not negative")
        class_weight = given["class_weight"]
        mode, groups = self.mode, given["groups"]
        activation = (SOFTMAX if mode == "multiclass" else SIGMOID) if given.get("from_logits") else NO_ACTIVATION
        return RegionSpecification(
            owner=type(self).__name__,
            kernel=KERNELS[self._kernel()[0]],
            constants=(),
            bounded=False,
            closed=(_closed(domains, np.float64), _closed(domains, np.float32)),
            rules=rules,
            mode=mode,
            activation=activation,
            by_image=groups in ("image", "image_class"),
            by_class=groups in ("class", "image_class"),
            empty=EMPTY.index(given.get("empty", "formula")),
            ignore_index=given.get("ignore_index"),
            class_weight=None if class_weight is None else np.array(class_weight, np.float64),
        )

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        classes_first = self.mode != "binary" and ndim and self.axis % ndim == 0
        return tuple(range(0 if classes_first else 1, ndim))

    def _axes_of_losses(self, ndim: int) -> tuple[int | None, ...]:
        classes: int | None = None if self.mode == "binary" else self.axis % ndim
        images = int(classes == 0)
        each: dict[str, tuple[int | None, ...]] = {
            "batch": (), "image": (images,), "class": (classes,), "image_class": (images, classes)
        }  # fmt: skip
        return each[self.groups]

    @property
    def _separate(self) -> bool:
        softmax = self.mode == "multiclass" and self.scores in RAW
        return not (softmax and self.groups in ("class", "image_class"))

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _constants(self, classes: int) -> dict[str, float]:
        """The constants of the formula by name; by default the parameters of these names, 0 where the loss has none."""
        given = self.parameters()
        return {name: float(given.get(name, 0.0)) for name in self._spec.kernel.parameters}

    def states(self, *arrays: Any, groups: Any, **options: Any) -> Any:  # a dict, of other states
        given = {name: options.pop(name) for name in _OPTIONS if name in options}
        check_names(type(self).__name__, options, (*_OPTIONS, "groups"))
        found: dict[Any, Any] = self._evaluated(arrays, given).states(groups)
        return found

    states.__doc__ = Loss.states.__doc__

    def _evaluated(self, arrays: Sequence[Any], options: dict[str, Any]) -> Any:
        return self._evaluation(self, *arrays, **options)


_OPTIONS = ("sample_weight", "mask", "nan_policy", "num_threads")


class OverlapLoss(RegionLoss):
    """A loss of how far a mask and a prediction overlap."""

    mode: str = choice("binary", "multiclass", "multilabel", default="binary", kw_only=True)
    from_logits: bool = field(default=False, kw_only=True)
    empty: str = choice(*EMPTY, default="formula", kw_only=True)
    ignore_index: int | None = integer(default=None, optional=True)


_TRUE, _PRED = Argument("y_true", REGION), Argument("y_pred", REGION)
OF_IMAGES = Signature((_TRUE,), (_PRED,))
OF_BATCH = Signature((_TRUE,), (_PRED,), additive=False)
