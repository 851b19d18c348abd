"""verl on processors without an accelerator."""
