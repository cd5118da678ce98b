"""What a person sees of a running shipper, and of one that does not run."""
