// Package stories tells what a user lives through: Weir installed by its overlay on a real cluster, podinfo
// behind a real gateway, and a client that counts every answer from before the adoption until after the
// Canary is gone. Promotion and rollback are told in every run of the tests; the others where WEIR_E2E is 1.
package stories
