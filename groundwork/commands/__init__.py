"""What the command lines of both programs share: the start, the probe, the terminal."""
