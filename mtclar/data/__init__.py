"""What passes between steps: the tables and their schemas, the faces store, the readers of each dataset."""
