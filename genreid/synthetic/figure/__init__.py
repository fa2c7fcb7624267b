"""A person as a posed, textured mesh."""
