"""The deterministic DeepSeek that everything offline runs on, and an event loop whose clock jumps.

One pure core (`FakeDeepSeek`), three faces: an in-process transport (`FakeTransport`), a respx
router (`mock_deepseek`) and a real socket (`serve`). Names are loaded when they are first used, so
that importing this package costs nothing and needs no optional library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.testing.deepseek.fake import FakeDeepSeek
    from harness.testing.deepseek.fault_plan import Fault, FaultPlan
    from harness.testing.deepseek.latency import Latency
    from harness.testing.received import ReceivedCall
    from harness.testing.respx_mock import mock_deepseek
    from harness.testing.scripted import MockDeepSeek
    from harness.testing.server import serve, serve_forever
    from harness.testing.transport import FakeTransport
    from harness.testing.virtual_time import VirtualClock, VirtualLoop, VirtualTime, run_virtual

_HOMES = {
    "FakeDeepSeek": "deepseek.fake",
    "FakeTransport": "transport",
    "Fault": "deepseek.fault_plan",
    "FaultPlan": "deepseek.fault_plan",
    "Latency": "deepseek.latency",
    "MockDeepSeek": "scripted",
    "ReceivedCall": "received",
    "VirtualClock": "virtual_time",
    "VirtualLoop": "virtual_time",
    "VirtualTime": "virtual_time",
    "mock_deepseek": "respx_mock",
    "run_virtual": "virtual_time",
    "serve": "server",
    "serve_forever": "server",
}

__all__ = [
    "FakeDeepSeek",
    "FakeTransport",
    "Fault",
    "FaultPlan",
    "Latency",
    "MockDeepSeek",
    "ReceivedCall",
    "VirtualClock",
    "VirtualLoop",
    "VirtualTime",
    "mock_deepseek",
    "run_virtual",
    "serve",
    "serve_forever",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
