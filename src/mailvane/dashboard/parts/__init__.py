"""Pictures that the server draws: SVG, coloured by class, so that no style attribute is needed."""
