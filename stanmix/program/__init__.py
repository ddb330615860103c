"""Programs: from a specification to Stan text and its data."""
