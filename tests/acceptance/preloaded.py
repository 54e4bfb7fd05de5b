"""What commands and servers import when they are run, for the process that they are forked from (`tests/processes.py`).

Not the engine of the mail log, nor what it is written with that starts threads: a process with threads is not forked.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else it has threads as soon as it is imported

import anyio._backends._asyncio
import litestar.plugins.pydantic
import numpy as np
import starlette.exceptions
import uvicorn.lifespan.on

import mailvane.server.main
from mailvane.server.cli import build
from tests.acceptance import warm_commands

__all__ = ["anyio", "litestar", "mailvane", "np", "starlette", "uvicorn", "warm_commands"]

build(None)  # which imports every command
