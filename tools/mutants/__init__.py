"""How much the tests hold: small changes of the code, made one at a time, that some test should notice."""
