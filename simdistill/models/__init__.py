"""Language models that answer questions: students and their weights."""
