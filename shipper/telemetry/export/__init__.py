"""How the state leaves the process: the health port, Prometheus, CloudWatch."""
