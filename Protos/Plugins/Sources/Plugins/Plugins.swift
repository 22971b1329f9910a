// The package is there for its dependencies' products.
