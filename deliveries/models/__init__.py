"""The rows of this app: messages and what becomes of them, the lanes they take, and how people
steer the flow.
"""

from deliveries.models.classification import LocalRule
from deliveries.models.demands import DemandMeasure, ReceiverDemand
from deliveries.models.inbound import InboundKind, InboundMail
from deliveries.models.lane_history import BackOff, LanePace
from deliveries.models.lanes import Destination, Lane, Route
from deliveries.models.messages import Attempt, Content, Delivery, Message, Submission
from deliveries.models.provider_limits import ProviderLimit
from deliveries.models.reclassification import Reclassification, ReclassificationState
from deliveries.models.refusals import Refusal
from deliveries.models.resending import Resending
from deliveries.models.search_terms import MessageTerms
from deliveries.models.searches import ExportPart, ExportState, MessageExport, SavedSearch
from deliveries.models.smarthosts import Smarthost, SmarthostToken
from deliveries.models.sources import (
    EgressRule,
    Node,
    Pool,
    PoolMember,
    Source,
    SourceRest,
    SourceState,
)
from deliveries.models.statistics import Alert, Tally
from deliveries.models.steering import Order, ShapingRule, Stop
from deliveries.models.tenants import TenantCase, TenantMeasure, TenantRule
from deliveries.models.traffic import TrafficCount, TrafficEvent
from deliveries.models.transcripts import Transcript, TranscriptRequest
from deliveries.models.warm_up import (
    SourceBlock,
    SourceCount,
    SourceEvent,
    WarmUp,
    WarmUpDay,
    WarmUpPlan,
)

__all__ = [
    "Alert",
    "Attempt",
    "BackOff",
    "Content",
    "Delivery",
    "DemandMeasure",
    "Destination",
    "EgressRule",
    "ExportPart",
    "ExportState",
    "InboundKind",
    "InboundMail",
    "Lane",
    "LanePace",
    "LocalRule",
    "Message",
    "MessageExport",
    "MessageTerms",
    "Node",
    "Order",
    "Pool",
    "PoolMember",
    "ProviderLimit",
    "ReceiverDemand",
    "Reclassification",
    "ReclassificationState",
    "Refusal",
    "Resending",
    "Route",
    "SavedSearch",
    "ShapingRule",
    "Smarthost",
    "SmarthostToken",
    "Source",
    "SourceBlock",
    "SourceCount",
    "SourceEvent",
    "SourceRest",
    "SourceState",
    "Stop",
    "Submission",
    "Tally",
    "TenantCase",
    "TenantMeasure",
    "TenantRule",
    "TrafficCount",
    "TrafficEvent",
    "Transcript",
    "TranscriptRequest",
    "WarmUp",
    "WarmUpDay",
    "WarmUpPlan",
]
