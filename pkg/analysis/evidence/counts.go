package evidence

import "math"

// often is the share of bad requests from which on they are no longer rare, and enoughBad how many of them the primary
// must have had lately for that to be known.
const (
	often     = 0.05
	enoughBad = 10
	// tooOften is where the boundary of the null comes so near to certainty that the rare form is used again.
	tooOften = 0.95
	// memory is how much of what was learned is kept from one window with bad requests to the next.
	memory = 0.9
)

// counts are requests and bad ones of canary and primary in one window.
type counts struct {
	canaryBad, canary, primaryBad, primary float64
}

func (c counts) bad() float64 { return c.canaryBad + c.primaryBad }

// comparable tells whether both sides have requests.
func (c counts) comparable() bool {
	const none = 1e-9
	return c.canary > none && c.primary > none
}

// distances of the alternatives from the null, in the logarithm of the ratio.
func distances() []float64 {
	return []float64{.1, .2, .35, .5, .7, 1, 1.4, 1.9, 2.5, 3.2}
}

// rare is the logarithm of the e-value of a window for the ratio null·exp(d) against null: of the bad requests, the
// canary's are as many as of a coin that falls to it with probability rR/(1+rR), r being the ratio of requests.
func (c counts) rare(null, d float64) float64 {
	r := c.canary / c.primary
	return c.canaryBad*d - c.bad()*math.Log1p(r*null*math.Expm1(d)/(1+r*null))
}

// frequent is the same for proportions that are not small: canary's and primary's alternatives against the nearest
// pair on the boundary, where the canary's is null times the primary's.
func (c counts) frequent(null, canary, primary float64) float64 {
	base := project(null, canary, primary, c.canary, c.primary)
	return logRatio(c.canaryBad, c.canary, canary, null*base) + logRatio(c.primaryBad, c.primary, primary, base)
}

// logRatio is the logarithm of the likelihood ratio of two proportions, for x of n.
func logRatio(x, n, p, q float64) float64 {
	return x*math.Log(p/q) + (n-x)*math.Log((1-p)/(1-q))
}

// project finds the pair (ratio·t, t) of proportions that is nearest to the given pair in the sense of Kullback and
// Leibler, each side weighted with its requests. It is the maximum-likelihood estimate under that ratio.
func project(ratio, canary, primary, n, m float64) (t float64) {
	hit := n*canary + m*primary
	b := hit*(1+ratio) + n*(1-canary)*ratio + m*(1-primary)
	return 2 * hit / (b + math.Sqrt(math.Max(0, b*b-4*ratio*(n+m)*hit)))
}

// learned is how often requests of the primary were bad of late.
type learned struct {
	Bad      float32 `json:"bad,omitempty"`
	Requests float32 `json:"requests,omitempty"`
}

func (l learned) share() float64 {
	return (float64(l.Bad) + .18) / (float64(l.Requests) + .36)
}

// learn forgets only in windows that have something bad, so that empty ones may be cut as one likes.
func (l learned) learn(c counts) learned {
	keep := float32(1)
	if c.bad() > 0 {
		keep = memory
	}
	return learned{Bad: l.Bad*keep + float32(c.primaryBad), Requests: l.Requests*keep + float32(c.primary)}
}

// isFrequent decides from past windows alone in which form the next is taken.
func (l learned) isFrequent(null float64) bool {
	return l.Bad >= enoughBad && l.share() >= often && l.share()*null <= tooOften
}

// wagers are the logarithms of the e-values of a window against a ratio of at most null (up is 1) or of at least null
// (up is -1). Nil means that the window has nothing to say.
func (c counts) wagers(null, up float64, l learned) []float64 {
	frequent := l.isFrequent(null)
	if !c.comparable() || c.bad() <= 0 && !frequent {
		return nil
	}
	ds := distances()
	out := make([]float64, len(ds))
	for k, d := range ds {
		if !frequent {
			out[k] = c.rare(null, up*d)
			continue
		}
		share := l.share()
		edge := share * null
		out[k] = c.frequent(null, 1/(1+(1-edge)/edge*math.Exp(-up*d)), share)
	}
	return out
}
