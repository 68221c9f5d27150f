"""What is remembered (PostgreSQL). No rules here: they are in flows.approval and flows.provisioning, and once more in the database."""

from flows.model.base import Base
from flows.model.ledger import Attempt, Effect, EffectState, Lease
from flows.model.organisations import ClosedDay, Organisation
from flows.model.people import (
    Absence,
    Employment,
    LoginAccount,
    OrganisationRole,
    Person,
    RegionalRole,
    ReservedName,
    SameHuman,
    SavedFilter,
)
from flows.model.records import ActivationContact, ActivationState, Audit, Letter, LogoutToken, Lookup, Secret, WebSession
from flows.model.requests import Decision, OnboardingRequest, Outbox, Policy, RequestKind, RequestState, RequestVersion, Sample, Stage

__all__ = [
    "Absence",
    "ActivationContact",
    "ActivationState",
    "Attempt",
    "Audit",
    "Base",
    "ClosedDay",
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
    "Policy",
    "RegionalRole",
    "RequestKind",
    "RequestState",
    "RequestVersion",
    "ReservedName",
    "SameHuman",
    "Sample",
    "SavedFilter",
    "Secret",
    "Stage",
    "WebSession",
]
