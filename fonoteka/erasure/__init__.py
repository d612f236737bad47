"""`erase`: remove a person's recordings and what was made from them."""
