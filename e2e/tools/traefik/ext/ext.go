// Package ext stands in for Traefik's extension point of the same import path.
// Traefik replaces it by a folder of its own tree that its published module
// does not carry, so whoever builds Traefik from the module brings one. The
// extension point is empty in Traefik itself too.
package ext

// HTTP extends an HTTP configuration with nothing.
type HTTP struct{}

// Router extends an HTTP router with nothing.
type Router struct{}
