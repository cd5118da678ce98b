"""What a running process needs of its machine: descriptors, a port, file events, and a Loki of its own."""
