"""The reference documents, made from the message types so that they cannot disagree with them."""
