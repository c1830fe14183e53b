"""What was recorded, as OpenTelemetry metrics, where somebody has set these up."""
