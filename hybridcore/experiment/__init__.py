"""Experiments: strategies and thresholds compared on tasks, with intervals.

``hybridlm compare``, ``sweep``, ``calibrate`` and ``certify`` are made of what is here.
"""
