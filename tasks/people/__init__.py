"""What people's answers become, and how good they are: verdicts, aggregation, calibration; pure."""
