"""One file per published system; a new file here is a new scheme."""
