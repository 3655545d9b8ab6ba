"""Children: starting, stopping and looking after them."""
