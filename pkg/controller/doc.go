// Package controller is the shell around the core. Informers feed one queue of Canaries; one sync asks,
// observes, decides and acts.
//
//	informers ──▶ queue ──▶ sync(key)
//	                          │
//	                ask  ─────┤  rollout.Ask       which checks are due now?
//	            observe  ─────┤  caches and answers; the only place that looks
//	             decide  ─────┤  rollout.Decide    what must hold until the next look?
//	                act  ─────┘  ensure ▶ commit ▶ announce; the only place that writes
//
// The queue is the only clock, and no worker waits for a metrics server: a question that is due is put to
// a bounded pool, and its answer wakes the Canary.
package controller
