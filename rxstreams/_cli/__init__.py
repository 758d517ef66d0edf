"""What the command line is made of; needs the extra ``cli`` (click and rich). Start at ``commands``."""
