"""A module that reaches for another machine when it is imported, and sends it nothing."""

from __future__ import annotations

import socket

socket.socket(type=socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
