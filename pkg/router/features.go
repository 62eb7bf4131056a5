package router

// Feature is one thing that a router may be able to do.
type Feature string

// The features. docs/routers.md says for each router which it has, and how that is known.
const (
	// Weighted: traffic is shared out by percent.
	Weighted Feature = "weighted"
	// OwnsRoute: it makes the route where there is none.
	OwnsRoute Feature = "owns route"
	// AdoptsRoute: it shifts traffic in a route of the user's, and gives it back as it was found.
	AdoptsRoute Feature = "adopts the user's route"
	// Rewrites: it rewrites path and host of a request.
	Rewrites Feature = "rewrite"
	// EditsHeaders: it changes headers of requests and responses.
	EditsHeaders Feature = "headers"
	// Timeouts: it bounds the time of a request.
	Timeouts Feature = "timeout"
	// Retries: it tries failed requests again.
	Retries Feature = "retries"
)

// Features are what a router can do.
type Features map[Feature]bool

// Has says whether a feature is among them.
func (f Features) Has(feature Feature) bool { return f[feature] }
