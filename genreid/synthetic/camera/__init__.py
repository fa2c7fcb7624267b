"""What a surveillance camera is made of."""
