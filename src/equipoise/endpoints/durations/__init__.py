"""How long response lasts: in responders, in all randomised, and in those who would respond to the experimental arm."""
