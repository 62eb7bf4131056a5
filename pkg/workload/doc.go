// Package workload reads the user's Deployment and its ReplicaSets and pods into the words of the
// rollout, and says what Weir's own ReplicaSet and Services look like. It is pure: stored objects in,
// values and objects out.
package workload
