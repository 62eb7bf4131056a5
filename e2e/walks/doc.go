// Package walks proves that the commands in the documentation do what the pages say: each page is walked through as a new
// user would, typing its commands in a shell in their order, against a real API server on which Weir was installed by the
// overlay of the page, and whose operator has the arguments, the settings and the rights of that overlay. What a page needs
// that only a node has is told by e2e/stories, and what nobody types is in the table of exceptions. There is no command
// that is in neither.
package walks
