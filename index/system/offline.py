"""The switches that keep what we are built on from calling home, in one place.

onnxruntime's wheel reports to its maker unless told not to, from native code that no Python hook
sees; Gradio, Ray and the Hugging Face hub library have reports of their own. Each reads its switch
when it is imported and never again, so whoever imports one calls us first. A program that imported
onnxruntime before it used us has to set the switch itself: nothing ends the reports afterwards.
"""

from __future__ import annotations

import ipaddress
import os
from types import MappingProxyType

NO_TELEMETRY = MappingProxyType(
    {
        "ORT_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
"""Nobody is told what is used and how."""
OFFLINE = MappingProxyType({**NO_TELEMETRY, "HF_HUB_OFFLINE": "1"})
"""And nothing is looked for on the network: for processes that are ours alone."""


def no_telemetry() -> None:
    """Switch reports off in this process and in those it starts."""
    os.environ.update(NO_TELEMETRY)


def stay_offline() -> None:
    """As `no_telemetry`, and the hub library is not to look for anything on the network."""
    os.environ.update(OFFLINE)


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
