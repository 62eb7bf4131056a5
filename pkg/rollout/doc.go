// Package rollout decides. It is a pure function from what is seen (Snapshot) to what ought to hold
// (Decision): no clock, no network, no client, no log. Everything else in Weir fetches the one or
// carries out the other.
//
//	             ┌──────────────┐  adopted   ┌─────────────┐
//	   new ─────▶│ Initializing │───────────▶│ Initialized │
//	             └──────────────┘            └─────────────┘
//	                    ▲ resumed by hand           │ template differs from the primary's
//	                    │ (from every phase         ▼
//	┌────────┐          │  but Finalising)   ┌─────────────┐  template changed: superseded,
//	│ Failed │◀────────────────────────────── │ Progressing │─┐ a new run from the first step
//	└────────┘   broken, deadline, failed     └─────────────┘◀┘
//	  │    │     checks; 100 % primary at once       │ every step passed
//	  │    │                                         ▼
//	  │    └─ template changed ─▶ Progressing ┌───────────┐
//	  │                                       │ Promoting │ full size, 100 % canary, settled
//	  │ template is the primary's again       └───────────┘
//	  ▼                                              │ handed over
//	┌───────────┐   split back, pins removed  ┌────────────┐
//	│ Succeeded │◀────────────────────────────│ Finalising │
//	└───────────┘                             └────────────┘
//
// Deletion leads from every phase to Terminating; from Finalising only once the hand-over is through.
//
// A phase function says what comes next in the status and what people are told. What must hold in the
// cluster is then a function of that status (see world): so that a decision repeated after a crash, or
// taken twice, asks for the very same world.
package rollout
