// Package integration runs the operator against a real API server and the real controllers, without a
// node: pods are played, everything else is as it is in a cluster. It is where the operator is killed at
// every write, where what it depends on fails, and where it is given what it cannot work with.
package integration
