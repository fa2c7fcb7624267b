"""The networks: identity encoder, structure encoder, decoder, discriminator; embedding; checkpoint format."""
