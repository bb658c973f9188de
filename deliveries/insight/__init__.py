"""What happened and what waits: tracing, figures and error rates. It only reads, and adds up."""
