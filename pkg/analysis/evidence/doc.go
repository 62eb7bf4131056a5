// Package evidence compares.
package evidence
