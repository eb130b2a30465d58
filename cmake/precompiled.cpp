// The object that the precompiled headers of the libraries belong to.
