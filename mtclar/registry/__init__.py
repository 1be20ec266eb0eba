"""MLflow: the log of a training run, and the registry that says which model is challenger and which is champion.

mlflow is imported inside the functions that need it, never with this package.
"""
