"""A page to play with: one picture over a trained link, with Bob, Eve and Mallory."""
