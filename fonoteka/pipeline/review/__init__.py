"""`review`: the page of a pull request."""
