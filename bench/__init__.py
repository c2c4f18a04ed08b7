"""What publishing, delivering and selling cost, measured on this machine: python -m bench NAME."""
