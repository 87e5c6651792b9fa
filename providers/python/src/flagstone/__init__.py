"""Flagstone."""
