"""An independent charge point to try and test a central system with."""
