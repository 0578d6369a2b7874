"""What fills the terminal: the session, and the dialogs over it."""
