"""The layouts that corpora are published in, one module per layout."""
