"""Pages a person looks at: one HTML file each, offline, pictures and charts inside it."""
