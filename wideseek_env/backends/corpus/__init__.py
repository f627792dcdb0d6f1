"""Pages that are kept here: read out of files, cut into passages, stored and indexed on disk."""
