"""The demo: a whole service on invented data, with a clock that runs fast."""
