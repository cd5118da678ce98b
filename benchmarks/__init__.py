"""How fast both processes are, in ratio to yardsticks measured in the same run."""
