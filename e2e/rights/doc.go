// Package rights proves that the rights which the overlays of kustomize give are just those that the operator needs. The
// real program lives whole lives of Canaries with a token of its ServiceAccount and nothing but the rights of the overlay;
// nothing that it asks for may be denied, and nothing that it may do may be left unasked for. docs/rights.md is the list.
package rights
