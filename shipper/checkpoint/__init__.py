"""What is safely in Loki, and the memory of it across restarts."""
