"""The steps as Kubeflow pipelines: the training line, and labelling with its champion; compile, run here, submit."""
