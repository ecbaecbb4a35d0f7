"""The parts of stream.py: a module per group of measurements."""
