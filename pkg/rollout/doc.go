// Package rollout decides. It is a pure function from what is seen (Snapshot) to what ought to hold
// (Decision): no clock, no network, no client, no log. Everything else in Weir fetches the one or
// carries out the other.
package rollout
