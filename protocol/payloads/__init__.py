"""What the envelopes carry, a file a conversation.

handshake: hello and assignment · registration: a plugin and its components · lifecycle: ready, health, shutdown,
reload · invocation: running a component · capability: services of the host · gateway: messages from outside ·
configuration: a plugin's settings · telemetry: logs and progress.
"""

from __future__ import annotations

from .capability import CapabilityAnswer, CapabilityCall
from .configuration import (
    ConfigUpdated,
    InspectConfig,
    InspectConfigAnswer,
    ValidateConfig,
    ValidateConfigAnswer,
)
from .gateway import GatewayState, GatewayStateAnswer, RouteMessage, RouteMessageAnswer
from .handshake import AssignedPlugin, Assignment, Hello, HelloAnswer
from .invocation import (
    Cancel,
    EventAnswer,
    HookAnswer,
    Invocation,
    InvocationAnswer,
    LLMInvocation,
    Recall,
    Segment,
    SegmentAnswer,
    Started,
)
from .lifecycle import (
    Accepted,
    Acknowledged,
    Empty,
    Exchange,
    HealthAnswer,
    Reload,
    ReloadAnswer,
    ReloadBatch,
    RunnerReady,
    Shutdown,
    UnloadAnswer,
    UnloadBatch,
)
from .registration import (
    Bootstrap,
    BootstrapAnswer,
    ComponentDeclaration,
    LLMProviderDeclaration,
    RegisterAnswer,
    RegisterComponents,
    Unregister,
    UnregisterAnswer,
)
from .telemetry import Extend, Loading, LogBatch, LogEntry

__all__ = [
    "Accepted",
    "Acknowledged",
    "AssignedPlugin",
    "Assignment",
    "Bootstrap",
    "BootstrapAnswer",
    "Cancel",
    "CapabilityAnswer",
    "CapabilityCall",
    "ComponentDeclaration",
    "ConfigUpdated",
    "Empty",
    "EventAnswer",
    "Exchange",
    "Extend",
    "GatewayState",
    "GatewayStateAnswer",
    "HealthAnswer",
    "Hello",
    "HelloAnswer",
    "HookAnswer",
    "InspectConfig",
    "InspectConfigAnswer",
    "Invocation",
    "InvocationAnswer",
    "LLMInvocation",
    "LLMProviderDeclaration",
    "Loading",
    "LogBatch",
    "LogEntry",
    "Recall",
    "RegisterAnswer",
    "RegisterComponents",
    "Reload",
    "ReloadAnswer",
    "ReloadBatch",
    "RouteMessage",
    "RouteMessageAnswer",
    "RunnerReady",
    "Segment",
    "SegmentAnswer",
    "Shutdown",
    "Started",
    "UnloadAnswer",
    "UnloadBatch",
    "Unregister",
    "UnregisterAnswer",
    "ValidateConfig",
    "ValidateConfigAnswer",
]
