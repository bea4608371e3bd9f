"""Records -> one HTML file; and `kvgauge run`, which needs every room."""
