"""The demo: a whole service on invented data, with a clock that runs fast."""

from supervision.demo.run import run_demo

__all__ = ["run_demo"]
