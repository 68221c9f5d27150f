"""What an operator does by hand from the command line, one module per subject. Words are English; nothing here decides."""
