"""What the proxy counts, and how it tells it: ``/health`` and Prometheus."""
