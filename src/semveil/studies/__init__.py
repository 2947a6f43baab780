"""One file per published table or figure; a new file here is a new study."""
