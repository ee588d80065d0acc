"""The generated pages of docs/, made from the code so that they cannot disagree with it."""
