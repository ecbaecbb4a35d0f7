"""Measurements of the loop; see loop.py beside this folder."""
