"""What is remembered (PostgreSQL). No rules here: they are in flows.approval and flows.provisioning, and once more in the database."""

from flows.model.base import Base
from flows.model.ledger import Attempt, Effect, EffectState, Lease
from flows.model.organisations import Organisation
from flows.model.people import Employment, LoginAccount, OrganisationRole, Person, RegionalRole, ReservedName
from flows.model.records import ActivationContact, ActivationState, Audit, Letter, LogoutToken, Lookup, Secret, WebSession
from flows.model.requests import Decision, OnboardingRequest, Outbox, RequestKind, RequestState, RequestVersion, Stage

__all__ = [
    "ActivationContact",
    "ActivationState",
    "Attempt",
    "Audit",
    "Base",
    "Decision",
    "Effect",
    "EffectState",
    "Employment",
    "Lease",
    "Letter",
    "LoginAccount",
    "LogoutToken",
    "Lookup",
    "OnboardingRequest",
    "Organisation",
    "OrganisationRole",
    "Outbox",
    "Person",
    "RegionalRole",
    "RequestKind",
    "RequestState",
    "RequestVersion",
    "ReservedName",
    "Secret",
    "Stage",
    "WebSession",
]
