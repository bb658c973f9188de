"""The rows of this app: messages and what becomes of them, the lanes they take, and how people
steer the flow.
"""

from deliveries.models.classification import LocalRule
from deliveries.models.demands import ReceiverDemand
from deliveries.models.inbound import InboundMail
from deliveries.models.lane_history import BackOff, LanePace
from deliveries.models.lanes import Destination, Lane, Route
from deliveries.models.messages import Attempt, Content, Delivery, Message, Submission
from deliveries.models.provider_limits import ProviderLimit
from deliveries.models.reclassification import Reclassification
from deliveries.models.refusals import Refusal
from deliveries.models.resending import Resending
from deliveries.models.search_terms import MessageTerms
from deliveries.models.searches import ExportPart, MessageExport, SavedSearch
from deliveries.models.smarthosts import Smarthost, SmarthostToken
from deliveries.models.sources import EgressRule, Node, Pool, PoolMember, Source, SourceRest
from deliveries.models.statistics import Alert, Tally
from deliveries.models.steering import Order, ShapingRule, Stop
from deliveries.models.tenants import TenantCase, TenantRule
from deliveries.models.traffic import TrafficCount
from deliveries.models.transcripts import Transcript, TranscriptRequest
from deliveries.models.warm_up import SourceBlock, SourceCount, WarmUp, WarmUpDay, WarmUpPlan

__all__ = [
    "Alert",
    "Attempt",
    "BackOff",
    "Content",
    "Delivery",
    "Destination",
    "EgressRule",
    "ExportPart",
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
    "SourceRest",
    "Stop",
    "Submission",
    "Tally",
    "TenantCase",
    "TenantRule",
    "TrafficCount",
    "Transcript",
    "TranscriptRequest",
    "WarmUp",
    "WarmUpDay",
    "WarmUpPlan",
]
