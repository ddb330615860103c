"""The language: from formula text to a specification."""
