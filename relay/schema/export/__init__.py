"""What the catalog is told to others as: JSON Schema, AsyncAPI, a page for people."""
