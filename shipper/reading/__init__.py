"""What Loki has: questions to its query API, and what their answers tell."""
