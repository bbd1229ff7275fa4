"""Measurements: other codecs, curves over rate, speed, memory."""
