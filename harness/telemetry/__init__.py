"""A run as OpenTelemetry spans and metrics, made from its rows and sent beside it. See
docs/telemetry.md.
"""
