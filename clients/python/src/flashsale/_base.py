"""What answers, calls and errors are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Generic, Iterable, List, Mapping, Tuple, TypeVar, Union

import redis

Name = Union[str, bytes]
"""A user, an id or a REF: text, or bytes that are no UTF-8."""
Units = Union[int, Mapping[str, int], Iterable[Tuple[str, int]]]
"""A number of the sale's only item (`2`), or of each SKU (`{"red": 1, "blue": 2}`)."""
Json = Union[str, bytes, Mapping[str, Any], List[Any]]
"""Text that is JSON already, or what `json.dumps` takes."""

R = TypeVar("R")

ALARM = "alarm; move no money"


class StrEnum(str, Enum):
    """`enum.StrEnum`, which Python 3.10 does not have."""

    __str__ = str.__str__


@dataclass(frozen=True)
class Advice:
    """What a shop does about an answer.

    `kind` is "yes", "not now", "no", "fault", "error" or "other". `http` is the status to answer a browser
    with, `retry_after` the seconds for `Retry-After` or the name of the detail with its
    milliseconds, `buyer` a sentence with names of details in braces ("-" where it is no buyer's
    business): `answer.advice.buyer.format(**vars(answer))` fills it in; details in milliseconds
    should become a time of day or a duration first. `authorised` and `charged` say, in words for
    the programmer, what to do with a payment in that state.
    """

    kind: str
    http: int
    retry_after: int | str | None
    buyer: str
    authorised: str
    charged: str


@dataclass(frozen=True)
class Answer:
    """What a command answered. `rest` is what a newer module appends."""

    if TYPE_CHECKING:  # a field of `Other`, and a constant of every other class

        @property
        def status(self) -> str:
            """The status word, such as "RESERVED"."""

    advice: ClassVar[Advice]
    # Left out of `repr`, where it would come first and is nearly always empty.
    rest: tuple[Any, ...] = field(default=(), kw_only=True, repr=False)

    @property
    def retry_after_s(self) -> int | None:
        """`Retry-After`: whole seconds, rounded up; None where asking again does not help."""
        after = self.advice.retry_after
        return -(-getattr(self, after) // 1000) if isinstance(after, str) else after


@dataclass(frozen=True)
class Word(Answer):
    """An answer with a status word that this client knows."""

    status: ClassVar[Any]


@dataclass(frozen=True)
class Yes(Word):
    """Done, now or by an earlier copy of the request."""


@dataclass(frozen=True)
class NotNow(Word):
    """Refused now; the same request may succeed later."""


@dataclass(frozen=True)
class No(Word):
    """Refused; the same request will not succeed unless somebody changes the sale."""


@dataclass(frozen=True)
class Fault(Word):
    """A mistake of the caller, such as one id for two requests."""


@dataclass(frozen=True)
class Other(Answer):
    """A word that this client does not know, of a newer module; `rest` has the details."""

    advice: ClassVar[Advice] = Advice("other", 500, None, "Something went wrong.", ALARM, ALARM)
    status: str
    rest: tuple[Any, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Read:
    """A map that the server answered. `more` is what a newer module adds to it."""

    more: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)


class FlashSaleError(redis.ResponseError):
    """An error that the module or the server answered. Nothing was changed, except perhaps with `BROKEN`.

    `code` is its first word (`NOSALE`, `OOM`, `ERR`, `LOADING`), whatever redis-py makes of it;
    `text` is what follows.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text

    @property
    def advice(self) -> Advice:
        """What a shop does about the error."""
        from .answers import ERRORS  # which is made of what stands here

        return ERRORS.get(self.code, ERRORS["ERR"])[1]

    @property
    def retry_after_s(self) -> int | None:
        """`Retry-After`, as of an `Answer`: None where the same call makes no sense again."""
        after = self.advice.retry_after
        return after if isinstance(after, int) else None

    def __repr__(self) -> str:
        return f"FlashSaleError({self.code!r}, {self.text!r})"


class UnsafeCall(ValueError):
    """The call is a new request each time it is sent, so it is not sent where it might be repeated."""


@dataclass(frozen=True)
class Call(Generic[R]):
    """A command as words, and what reads its reply."""

    args: list[Any]
    decode: Callable[[Any], R]
    # Is sending it twice the same as sending it once?
    is_safe: bool = True

    def __post_init__(self) -> None:
        """Refuses what redis-py would refuse later, without saying which argument it is."""
        for at, word in enumerate(self.args):
            if word is None or isinstance(word, bool):
                raise TypeError(f"{self.args[0]}: {word} after {self.args[at - 1]!r}, where a name or a number belongs")
