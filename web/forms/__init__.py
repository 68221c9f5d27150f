"""What the fields of a form are called, and what a page shows of them."""
