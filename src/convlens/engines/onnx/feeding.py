"""What the person hands in, checked against what the model asks for."""
