// Package kube writes to the API server; no other hand-written code does. What Weir makes it applies
// whole, by server-side apply. What others own it touches in a few places, each one function with its
// reason. Nothing here decides, and nothing that was decided is tried again: a conflict means that the
// world moved, and the next look sees how.
package kube
