"""`genreid report`: what a run came to, on one page that needs nothing but itself."""
