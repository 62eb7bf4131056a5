// Package admission holds the policies of kustomize/admission to what the operator says, by a real API server.
package admission
