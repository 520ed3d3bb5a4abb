"""Node for tests that run JavaScript outside a browser: the machine's, or the one that Playwright's wheel carries."""

from __future__ import annotations

import shutil

from playwright._impl._driver import compute_driver_executable

NODE = shutil.which("node") or str(compute_driver_executable()[0])
