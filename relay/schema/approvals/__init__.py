"""What may be published: states of schema versions, who decided them, and who reads which."""
