"""Files to lines: discovery finds files, the catalog says which is which, the tailer reads their lines."""
