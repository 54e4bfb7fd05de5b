"""placeholder"""

from mailvane.config import Settings
from mailvane.surfaces.cli.program import DemoOptions


def run(settings: Settings, options: DemoOptions) -> None: ...
