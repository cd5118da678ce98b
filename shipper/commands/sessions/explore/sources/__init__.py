"""Where the pages' sessions come from: the folder with an index of its own, or Loki."""
