"""Codecs behind one interface: real bytes and back, at settings from low to high rate."""
