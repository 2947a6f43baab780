"""The zoo: trained links in folders that are checked whenever they are read."""
