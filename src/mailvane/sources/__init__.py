"""Where mail events come from. Each source is one package and knows nothing of its siblings or of any store."""
