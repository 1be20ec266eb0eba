"""Kubeflow components, one folder a verb.

Each only declares its inputs, its outputs and its image; its body opens its section of params.yaml and calls the step
of the same name. The image holds this package.
"""
