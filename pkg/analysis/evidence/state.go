package evidence

import (
	"math"
	"slices"
	"time"
)

// State is all that is kept of past windows. Nobody but this package changes it. The zero State has seen nothing.
type State struct {
	// Of says which test it belongs to.
	Of string `json:"of,omitempty"`
	// Until is the end of the last window that was counted, in milliseconds of Unix time.
	Until int64 `json:"until,omitempty"`
	// Windows that were counted, and what they counted.
	Windows int    `json:"windows,omitempty"`
	Canary  Totals `json:"canary,omitzero"`
	Primary Totals `json:"primary,omitzero"`

	Fail         pot          `json:"fail,omitzero"` // against a canary as good as tolerated
	Less         pot          `json:"less,omitzero"` // of a split: against one that gets as much as due
	Pass         pot          `json:"pass,omitzero"` // against a canary as bad as the limit
	Learned      learned      `json:"learned,omitzero"`
	Distribution distribution `json:"distribution,omitzero"`
	Scale        scale        `json:"scale,omitzero"`
	PassScale    scale        `json:"passScale,omitzero"`
	Dispersion   dispersion   `json:"dispersion,omitzero"`
	Odds         odds         `json:"odds,omitzero"`
}

// Totals are all requests, and those of them that were bad: failed, slower than the bound or, for distributions, than
// the mark.
type Totals struct {
	Requests float64 `json:"requests,omitempty"`
	Bad      float64 `json:"bad,omitempty"`
}

// End is the end of the last window that was counted, before which no other may begin.
func (s State) End() time.Time { return time.UnixMilli(s.Until).UTC() }

func (s *State) total(c counts) {
	s.Canary = Totals{s.Canary.Requests + c.canary, s.Canary.Bad + c.canaryBad}
	s.Primary = Totals{s.Primary.Requests + c.primary, s.Primary.Bad + c.primaryBad}
}

// sound tells whether a state is one that this package could have made. What was changed by hand is not.
func (s State) sound() bool {
	capital := func(p pot) bool { return p.Starts >= 0 && (p.Starts > 0) == (len(p.Stakes) > 0) }
	filled := func(b []float32) bool { return len(b) == 0 || len(b) == 4 && slices.Min(b) >= 0 }
	least := []float32{s.Learned.Bad, s.Learned.Requests - s.Learned.Bad, s.Dispersion.Sum, s.Dispersion.N,
		s.Scale.Size, s.Scale.N, s.PassScale.Size, s.PassScale.N, s.Distribution.Variance, s.Odds.Canary, s.Odds.Primary}
	a := s.Dispersion.Alone
	least = append(least, a.Sum, a.N, a.Last[0], a.Last[1]-a.Last[0], a.Open[0], a.Open[1]-a.Open[0])
	least = append(least, s.Distribution.Counts...)
	counts := len(s.Distribution.Counts)
	return capital(s.Fail) && capital(s.Less) && capital(s.Pass) && filled(s.Dispersion.Last) && filled(s.Dispersion.Open) &&
		slices.Min(least) >= 0 && slices.Max(least) < math.MaxFloat32/2 &&
		(counts == 0 || counts == len(s.Distribution.Bounds)+1) && !math.IsNaN(s.Distribution.Mark)
}
