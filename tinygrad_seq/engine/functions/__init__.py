"""The public functions that check and complete their arguments, and then say it in ops."""
