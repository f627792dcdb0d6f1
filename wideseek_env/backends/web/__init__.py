"""The live web: search services, pages fetched by URL, the guard that says which URLs may be."""
