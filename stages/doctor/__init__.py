"""`genreid doctor`: whether the configured run can start on this machine."""
