"""Thin shims: code that was written for other libraries runs by changing its import."""
