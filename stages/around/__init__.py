"""Small commands around the stages: a recipe as arguments, the results of the last run, model files."""
