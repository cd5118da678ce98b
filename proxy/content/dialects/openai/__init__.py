"""What OpenAI's APIs say, and the many hosts that speak as they do."""
