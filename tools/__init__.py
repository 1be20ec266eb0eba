"""What makes files of this repository from other people's; nothing of it is part of the package."""
