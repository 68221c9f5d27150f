"""Who is asked about a request, in which order, and how long they have: a file as data, and the pure rules that read it.

Nothing here reads a database. `python -m flows policy check` says what is wrong with a file; `flows.approval.policies` keeps its versions.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.approval.people import DECIDES, Regional

Kind = Literal["employee", "organisation", "batch"]
KINDS: tuple[Kind, ...] = ("employee", "organisation", "batch")
CONTRACT = Literal["employment", "agreement", "external"]
FILER = Literal["director", "deputy", "clerk"]


@dataclass(frozen=True)
class Facts:
    """What a policy may ask about a request. `days`: length of the contract, None = without an end (longer than any number)."""

    contract: str = ""
    filed_by: str = ""
    privileged: bool = False
    above_envelope: bool = False
    days: int | None = None
    batch: int = 1
    destructive: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Facts":
        """Kept facts; one that an older version did not know has its default."""
        return cls(**{name: value for name, value in (stored or {}).items() if name in cls.__dataclass_fields__})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Strict):
    """All that is said has to hold; what is not said does not matter."""

    contract: tuple[CONTRACT, ...] | None = None
    filed_by: tuple[FILER, ...] | None = None
    privileged: bool | None = None
    above_envelope: bool | None = None
    longer_than_days: int | None = Field(None, ge=1)
    batch_larger_than: int | None = Field(None, ge=1)
    destructive: bool | None = None

    def holds(self, facts: Facts) -> bool:
        return all(self._each(facts))

    def _each(self, facts: Facts) -> Iterator[bool]:
        for name in ("contract", "filed_by"):
            if (allowed := getattr(self, name)) is not None:
                yield getattr(facts, name) in allowed
        for name in ("privileged", "above_envelope", "destructive"):
            if (wanted := getattr(self, name)) is not None:
                yield getattr(facts, name) is wanted
        if self.longer_than_days is not None:
            yield facts.days is None or facts.days > self.longer_than_days
        if self.batch_larger_than is not None:
            yield facts.batch > self.batch_larger_than

    @property
    def looks_at(self) -> set[str]:
        """The facts that it reads."""
        named = {"longer_than_days": "days", "batch_larger_than": "batch"}
        return {named.get(name, name) for name, value in self if value is not None}


class StageRule(_Strict):
    """One stage of a route. A stage without `when` is always asked."""

    group: Regional
    step: int = Field(ge=1, le=20)
    working_days: int = Field(ge=1, le=60)
    when: tuple[Condition, ...] = ()
    deciders: int = Field(1, ge=1, le=5)
    reminders: tuple[int, ...] = (50, 80)
    escalation: tuple[Literal["deputy", "head"], ...] = ("deputy", "head")
    deputies: bool = True
    different_people: bool = True
    fallback: Regional | None = None
    opinion: bool = False

    def asked(self, facts: Facts) -> bool:
        return not self.when or any(condition.holds(facts) for condition in self.when)

    @property
    def looks_at(self) -> set[str]:
        return {name for condition in self.when for name in condition.looks_at}


class StandardHires(_Strict):
    """Approval by a rule instead of a person. `sample_percent`: the share that a person looks at afterwards."""

    enabled: bool = False
    rule: str = Field("standard hire", min_length=3, max_length=100)
    when: tuple[Condition, ...] = ()
    sample_percent: int = Field(10, ge=1, le=100)

    def allows(self, facts: Facts) -> bool:
        """Never for a privileged person or above the envelope, whatever the file says."""
        if not self.enabled or facts.privileged or facts.above_envelope or facts.destructive:
            return False
        return any(condition.holds(facts) for condition in self.when)


class Policy(_Strict):
    version: str = Field(min_length=1, max_length=100)
    route: dict[Kind, tuple[StageRule, ...]]
    standard_hires: StandardHires = StandardHires()  # pyright: ignore[reportCallIssue]

    def stages(self, kind: Kind, facts: Facts) -> tuple[StageRule, ...]:
        """The stages of a request, first to last. Never empty: nothing is approved by a missing rule."""
        found = tuple(sorted((rule for rule in self.route[kind] if rule.asked(facts)), key=lambda rule: rule.step))
        if all(rule.opinion for rule in found):
            raise PolicyProblems([f"route.{kind}: nobody decides about this request"])
        return found


class PolicyProblems(ValueError):
    """A file that cannot be a policy. `problems`: one line each, where and what."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read(text: str) -> Policy:
    """The policy of a file's text. Raises PolicyProblems: not TOML, an unknown word, a kind that nobody decides about, a gap."""
    try:
        policy = Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyProblems([f"this is not TOML: {error}"]) from error
    except ValidationError as error:
        raise PolicyProblems([f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]) from error
    if problems := [problem for kind in KINDS for problem in _holes(kind, policy.route.get(kind, ()))]:
        raise PolicyProblems(problems)
    if policy.standard_hires.enabled and not policy.standard_hires.when:
        raise PolicyProblems(["standard_hires: enabled without `when`, so every hire would be a standard one"])
    return policy


def hash_of(text: str) -> str:
    """SHA-256 (hex) of the file as it is: comments are part of what was agreed."""
    return hashlib.sha256(text.encode()).hexdigest()


def shipped() -> str:
    """The text of the policy that comes with the product."""
    return files("flows.approval").joinpath("policy.toml").read_text()


def _holes(kind: str, rules: tuple[StageRule, ...]) -> Iterator[str]:
    if not rules:
        yield f"route.{kind}: missing, so nobody would decide about such a request"
        return
    if not any(rule for rule in rules if not rule.when and not rule.opinion):
        yield f"route.{kind}: every deciding stage has a condition, so a request could pass without a decision"
    asked_twice = [name for name, times in Counter((rule.group, rule.when) for rule in rules).items() if times > 1]
    for group, _ in asked_twice:
        yield f"route.{kind}: {group} is asked twice under the same condition; write `deciders = 2`"
    last = max((rule.step for rule in rules if not rule.opinion), default=0)
    for n, rule in enumerate(rules):
        where = f"route.{kind}.{n}"
        if not rule.opinion and rule.group not in DECIDES:
            yield f"{where}.group: {rule.group} decides nothing; it may give an opinion (`opinion = true`)"
        if rule.opinion and (rule.deciders > 1 or rule.fallback):
            yield f"{where}: an opinion has one giver and no fallback"
        if rule.opinion and rule.step > last:
            yield f"{where}.step: nobody decides in this step or after it, so the opinion would come too late to be read"
        if rule.fallback and (rule.fallback is rule.group or rule.fallback not in DECIDES):
            yield f"{where}.fallback: has to be another group that decides"
        if list(rule.reminders) != sorted(set(rule.reminders)) or any(not 0 < each < 100 for each in rule.reminders):
            yield f"{where}.reminders: per cent between 1 and 99, each once, rising"
        if rule.when and not all(condition.looks_at for condition in rule.when):
            yield f"{where}.when: an empty condition holds always; leave `when` out"
