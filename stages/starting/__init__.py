"""What makes a project: its files, and settings for a folder of crops."""
