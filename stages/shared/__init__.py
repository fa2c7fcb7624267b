"""What all stages and commands share: the run, its options, and artifacts as the science takes them."""
